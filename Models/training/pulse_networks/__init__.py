"""Networks that see a pulse in pictures of a face: PyTorch modules with one interface.

Each takes the pictures of a block, [frames, height, width, 3] with RGB values 0...255, and gives one number a frame, [frames, 1]: the
blood volume wave, or its derivative (`is_derivative`). Everything that the network was trained to see done to its input is done inside
the module, so a model folder holds all of it in the ONNX file.
"""
