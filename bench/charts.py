#!/usr/bin/env python3
"""charts.py RESULTS TRACES FOLDER: the pictures bench-SECTION.svg of those sections that have results."""
import sys
from pathlib import Path

from results import Results
from svg import Picture, Scale


def names_of(cells):
    return list(dict.fromkeys(c.case for c in cells))


def low_high(cell):
    return cell.median, min(cell.values), max(cell.values)


# What helps to explain the figures is in the table only.
NOT_DRAWN = {'captured row by row, wake-up by the worker', "the same row in our table's shape"}


def write(results, _):
    cells = [c for c in results.of('write', 'inserts/s') if c.case not in NOT_DRAWN]
    flushes = list(dict.fromkeys(c.group.split(', ')[1] for c in cells))
    picture = Picture('Single-row inserts: what a capture costs the writers', 'inserts per second; the line is from the lowest to the highest of the rounds',
                      names_of(cells), len(flushes))
    for i, flush in enumerate(flushes):
        here = [c for c in cells if c.group.endswith(flush)]
        clients = list(dict.fromkeys(c.group.split(', ')[0] for c in here))
        values = {n: {c.case: low_high(c) for c in here if c.group.startswith(n + ',')} for n in clients}
        picture.bars(i, 'with ' + flush.replace('1 ms', 'a 1 ms'), clients, values, picture.y_scale(0, max(max(c.values) for c in here)), 'inserts/s')
    return picture


def bulk(results, _):
    cells = [c for c in results.of('bulk', 'ms') if c.ratios]
    groups = list(dict.fromkeys(c.group for c in cells))
    picture = Picture('One statement that changes many rows', 'its time as a multiple of the same statement without a trigger (logarithmic)', names_of(cells), 1)
    values = {g: {c.case: (c.ratio, min(c.ratios), max(c.ratios)) for c in cells if c.group == g} for g in groups}
    ratios = [r for c in cells for r in c.ratios]
    picture.bars(0, '', groups, values, picture.y_scale(1, max(ratios), log=True), 'times')
    return picture


def drain(results, _):
    cells = results.of('drain')
    panels = list(dict.fromkeys(c.group.split(', ')[1] for c in cells))
    # One batch size is no line.
    panels = [p for p in panels if len({c.group for c in cells if c.group.endswith(p)}) > 1] or panels
    cells = [c for c in cells if c.group.split(', ')[1] in panels]
    picture = Picture('Consuming what waits', 'rows per second by batch size (both logarithmic), 150-byte payloads, empty handler', names_of(cells), len(panels), height=340)
    y_range = [c.median for c in cells]
    for i, panel in enumerate(panels):
        here = [(int(c.group.split(' ')[0]), c) for c in cells if c.group.endswith(panel)]
        y = picture.y_scale(min(y_range), max(y_range), log=True)
        begin, end = picture.frame(i, panel, y, 'rows/s', 'rows in a batch')
        sizes = sorted({size for size, _ in here})
        x = Scale(min(sizes), max(max(sizes), min(sizes) * 10), begin + 12, end - 12, log=True)
        picture.x_ticks(x, ticks=sizes)
        for name in picture.names:
            points = sorted((size, c.median) for size, c in here if c.case == name)
            picture.line(name, [(x(size), y(rate)) for size, rate in points])
    return picture


SYSTEM_TITLES = {'pgpubsub': 'pgpubsub, take', 'raw': 'DELETE … SKIP LOCKED', 'pgq': 'PgQ (each reads all)'}


def rates(file, copies, first=1000, factor=1.25):
    """(consumed so far, rows per second since the point before): a point each time that it has grown by the factor."""
    trace = [(float(time), int(number)) for time, number in (line.split() for line in file.read_text().splitlines())]
    points, before = [], trace[0]
    for time, number in trace:
        if number >= max(first, before[1] * factor) and time > before[0]:
            points.append((number / copies, (number - before[1]) / copies / (time - before[0])))
            before = time, number
    return points


def held(results, traces):
    found = {}
    for file in sorted(traces.glob('held.*')):
        _, system, consumers, number, how = file.name.split('.')
        if int(number) == 1:
            copies = int(consumers) if system == 'pgq' else 1
            found[system, consumers, how] = rates(file, copies)
    cells = results.of('held')
    order = [n for n in names_of(cells) if not n.endswith('snapshot held')]
    counts = sorted({consumers for _, consumers, _ in found})
    picture = Picture('Consuming while another session holds a snapshot',
                      'rows per second in takes of 100, by what has been consumed so far (both logarithmic); dashed: with the snapshot', order, len(counts), height=340)
    found = {key: points for key, points in found.items() if points}
    everything = [p for points in found.values() for p in points]
    for i, consumers in enumerate(counts):
        y = picture.y_scale(min(r for _, r in everything), max(r for _, r in everything), log=True)
        begin, end = picture.frame(i, f'{consumers} consumer{"s" if consumers != "1" else ""}', y, 'rows/s', 'rows consumed')
        x = Scale(min(c for c, _ in everything), max(c for c, _ in everything), begin, end, log=True)
        picture.x_ticks(x)
        for (system, number, how), points in found.items():
            if number == consumers and SYSTEM_TITLES.get(system, system) in order:
                picture.line(SYSTEM_TITLES.get(system, system), [(x(c), y(r)) for c, r in points], dashed=how == 'held', markers=False)
    return picture


def backlog(results, _):
    cells = results.of('backlog', 'rows/s')
    modes = list(dict.fromkeys(c.group.split(',')[0] for c in cells))
    kinds = names_of(cells)
    picture = Picture('What waits does not slow down what is taken', 'one consumer, 100 at a time, by what else waits in the channel; rows per second', modes, 1)
    labels = {k: k.replace(' ready', '\nready').replace(' of ', '\nof ').replace(' delayed', '\ndelayed') for k in kinds}
    values = {labels[k]: {c.group.split(',')[0]: low_high(c) for c in cells if c.case == k} for k in kinds}
    picture.bars(0, '', [labels[k] for k in kinds], values, picture.y_scale(0, max(max(c.values) for c in cells)), 'rows/s')
    return picture


def cliffs(results, _):
    cells = results.of('cliffs', 'ms')
    statements = list(dict.fromkeys(c.group for c in cells))
    counts = list(dict.fromkeys(c.case.split(' dead entries')[0] for c in cells if ' dead entries' in c.case))
    most = f'{counts[-1]} dead entries'         # what costs the same with fewer is in the table
    cases = [c for c in names_of(cells) if ' dead entries' not in c or c.startswith(most)]
    picture = Picture('No statement pays for the past', f'milliseconds (logarithmic): one statement and its commit; all but the fresh ones with {most} that a snapshot keeps',
                      statements, 1, height=22 * len(cases), left=0)
    begin, end = picture.frame(0, '', None, '', 'ms', left=330)
    x = Scale(min(c.median for c in cells), max(max(c.median for c in cells), 1), begin, end - 12, log=True)
    picture.x_ticks(x, vertical_grid=True)
    for j, case in enumerate(cases):
        y = picture.top + 22 * j + 11
        label = case.removeprefix(most).removeprefix(', ') or 'nothing else'
        picture.parts.append(f'<text class="ink small" x="{begin - 8}" y="{y + 4}" text-anchor="end">{label}</text>')
        for cell in (c for c in cells if c.case == case):
            picture.parts.append(picture.marker(cell.group, x(cell.median), y))
    return picture


def latency(results, _):
    cells = results.of('latency', 'ms')
    loads = list(dict.fromkeys(c.group.split(', ')[0] for c in cells))
    systems = names_of(cells)
    picture = Picture('From the writer’s INSERT to the handler', 'milliseconds (logarithmic): the marker is the median, the line goes to the 99th percentile, the dot is the longest',
                      ['pgpubsub', 'others'], len(loads), height=34 * len(systems), left=0)
    for i, load in enumerate(loads):
        begin, end = picture.frame(i, load, None, '', 'ms', left=206)
        x = Scale(min(c.median for c in cells), max(c.median for c in cells), begin, end - 12, log=True)
        picture.x_ticks(x, vertical_grid=True)
        for j, system in enumerate(systems):
            y = picture.top + 34 * j + 17
            value = {c.group.split(', ')[1]: c.median for c in cells if c.case == system and c.group.startswith(load)}
            name = 'pgpubsub' if system.startswith('pgpubsub') else 'others'
            picture.parts.append(f'<text class="ink small" x="{begin - 8}" y="{y + 4}" text-anchor="end">{system}</text>')
            picture.line(name, [(x(value['p50']), y), (x(value['p99']), y)], markers=False)
            picture.parts.append(picture.marker(name, x(value['p50']), y))
            picture.parts.append(f'<circle cx="{x(value["longest"]):.1f}" cy="{y}" r="2" fill="{picture.colour(name)}"/>')
    return picture


def main():
    folder, traces, out = map(Path, sys.argv[1:])
    results = Results(folder)
    for draw in (write, bulk, drain, held, backlog, cliffs, latency):
        if results.of(draw.__name__):
            (out / f'bench-{draw.__name__}.svg').write_text(draw(results, traces).text(), encoding='utf-8')


main()
