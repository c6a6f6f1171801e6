"""What the speech gates of `audio-node` let through: `python -m training.gate`, from the folder Models."""
