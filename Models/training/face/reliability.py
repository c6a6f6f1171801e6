"""The reliability diagram of a model folder: how often the winning class is right, by how sure the network is of it."""

SIDE, MARGIN, GAP = 240, 44, 24


def diagram(sets):
    """SVG, one square for each of `sets`: (title, bins of evaluate.reliability). On the dashed line confidence is
    accuracy; a dot's area grows with its number of pictures."""
    width, height = MARGIN + len(sets) * (SIDE + GAP), SIDE + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, (title, bins) in enumerate(sets):
        left, top, bottom = MARGIN + number * (SIDE + GAP), MARGIN, MARGIN + SIDE
        total = sum(b["pictures"] for b in bins)
        parts.append(f'<text x="{left}" y="{top - 10}" font-size="12">{title}</text>')
        parts.append(f'<rect x="{left}" y="{top}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#888"/>')
        parts.append(f'<path d="M{left} {bottom}L{left + SIDE} {top}" stroke="#888" stroke-dasharray="4 3"/>')
        for tick in (0, 0.5, 1):
            parts.append(f'<text x="{left + tick * SIDE:.0f}" y="{bottom + 14}" text-anchor="middle">{tick:g}</text>')
            if number == 0:
                parts.append(f'<text x="{left - 6}" y="{bottom - tick * SIDE + 4:.0f}" text-anchor="end">{tick:g}</text>')
        parts.append(f'<text x="{left + SIDE / 2:.0f}" y="{bottom + 30}" text-anchor="middle">confidence</text>')
        if number == 0:
            middle = f"14 {top + SIDE / 2:.0f}"
            parts.append(f'<text transform="translate({middle}) rotate(-90)" text-anchor="middle">accuracy</text>')
        points = [(left + b["confidence"] * SIDE, bottom - b["accuracy"] * SIDE, b["pictures"] / total) for b in bins]
        parts.append('<path d="M' + "L".join(f"{x:.1f} {y:.1f}" for x, y, _ in points) + '" fill="none" stroke="#06c"/>')
        for x, y, share in points:
            radius = 1.5 + 14 * share**0.5
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="#06c" fill-opacity="0.5"/>')
    return "\n".join([*parts, "</svg>", ""])
