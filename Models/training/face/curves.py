"""Curves over epochs as a picture."""

WIDTH, HEIGHT, MARGIN, GAP = 360, 200, 44, 60
COLOURS = ["#06c", "#c50", "#080", "#a0a"]


def curves(panels, unit="epoch"):
    """SVG, side by side one chart for each of `panels`: (title, {name of the line: values, epoch by epoch, or `unit` by unit, from the first})."""
    width, height = MARGIN + len(panels) * (WIDTH + GAP), HEIGHT + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, (title, lines) in enumerate(panels):
        left, top, bottom = MARGIN + number * (WIDTH + GAP), MARGIN, MARGIN + HEIGHT
        values = [value for line in lines.values() for value in line]
        low, high = min(values), max(values)
        span = high - low or 1.0
        epochs = max(len(line) for line in lines.values())
        parts.append(f'<text x="{left}" y="{top - 24}" font-size="12">{title}</text>')
        parts.append(f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#888"/>')
        for value, y in ((low, bottom), (high, top + 8)):
            parts.append(f'<text x="{left - 4}" y="{y}" text-anchor="end">{value:.3g}</text>')
        for epoch, x in ((1, left), (epochs, left + WIDTH)):
            parts.append(f'<text x="{x}" y="{bottom + 14}" text-anchor="middle">{epoch}</text>')
        parts.append(f'<text x="{left + WIDTH / 2:.0f}" y="{bottom + 28}" text-anchor="middle">{unit}</text>')
        for place, (name, line) in enumerate(lines.items()):
            colour = COLOURS[place % len(COLOURS)]
            points = [
                (left + WIDTH * epoch / max(1, epochs - 1), bottom - HEIGHT * (value - low) / span) for epoch, value in enumerate(line)]
            parts.append('<path d="M' + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + f'" fill="none" stroke="{colour}"/>')
            parts.append(f'<text x="{left + 110 * place}" y="{top - 8}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])
