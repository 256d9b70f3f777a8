#!/usr/bin/env python3
"""report.py RESULTS FILE: prints settings, versions and the one table of all results, and writes the same as Markdown."""
import sys

from results import SECTIONS, Results

HEAD = ['section', 'condition', 'case', 'median', 'lowest–highest', 'unit', 'ratio', 'lowest–highest', 'to']
RIGHT = {3, 4, 6, 7}


def number(value):
    if value >= 1000:
        return f'{value:,.0f}'
    return f'{value:.0f}' if value >= 100 or value == int(value) else f'{value:.1f}' if value >= 10 else f'{value:.2f}'


def spread(values, form=number):
    return f'{form(min(values))}–{form(max(values))}' if len(values) > 1 else ''


def row(cell):
    cells = [cell.section, cell.group, cell.case, number(cell.median), spread(cell.values), cell.unit]
    if cell.ratios:
        cells += [f'{cell.ratio:.2f}', spread(cell.ratios, '{:.2f}'.format), cell.base]
    return cells + [''] * (len(HEAD) - len(cells))


def rows(results):
    """The cells in the order in which the sections, their groups and cases first came, by unit inside a group."""
    for section in SECTIONS:
        cells = results.of(section)
        orders = [list(dict.fromkeys(getattr(c, name) for c in cells)) for name in ('group', 'unit', 'case')]
        yield from (row(c) for c in sorted(cells, key=lambda c: tuple(
            order.index(getattr(c, name)) for order, name in zip(orders, ('group', 'unit', 'case')))))


def as_text(table):
    widths = [max(len(r[i]) for r in table) for i in range(len(HEAD))]
    for r in table:
        yield '  '.join(f'{c:>{w}}' if i in RIGHT else f'{c:<{w}}' for i, (c, w) in enumerate(zip(r, widths))).rstrip()


def as_markdown(table):
    yield '| ' + ' | '.join(table[0]) + ' |'
    yield '|' + '|'.join('---:' if i in RIGHT else '---' for i in range(len(HEAD))) + '|'
    for r in table[1:]:
        yield '| ' + ' | '.join(c.replace('|', '\\|') for c in r) + ' |'


def main():
    folder, file = sys.argv[1:]
    results = Results(folder)
    table = [HEAD, *rows(results)]
    for name, text in results.settings:
        print(f'{name}: {text}')
    print('\n' + '\n'.join(as_text(table)))
    with open(file, 'w', encoding='utf-8') as out:
        out.write('# Benchmarks: the figures\n\nWritten by `make bench`. [performance.md](performance.md) says what is measured and what it means.\n'
                  'A ratio is that to the case in the last column, in the same round; all figures are medians of the rounds.\n\n')
        out.writelines(f'- {name}: {text}\n' for name, text in results.settings)
        out.write('\n' + '\n'.join(as_markdown(table)) + '\n')


main()
