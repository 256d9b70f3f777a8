"""Plain charts as SVG, without any library: a picture with a title, a legend and some panels, each with axes and bars, lines or ranges.

The colours are distinguishable for the colour-blind (Okabe and Ito); text and background follow the reader's light or dark scheme.
"""
import math
from html import escape

COLOURS = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#d55e00', '#56b4e9', '#a08d00', '#888888']
STYLE = """
  .paper { fill: #ffffff } .ink { fill: #222222 } .faint { fill: #666666 } .grid { stroke: #dddddd } .axis { stroke: #888888 }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #15191e } .ink { fill: #e6e6e6 } .faint { fill: #a0a0a0 } .grid { stroke: #343a42 } .axis { stroke: #808080 }
  }
  text { font-family: system-ui, "Segoe UI", Helvetica, Arial, sans-serif; font-size: 12px }
  .title { font-size: 16px; font-weight: 600 } .panel { font-size: 13px; font-weight: 600 } .small { font-size: 11px }
"""


def short(value):
    """A number as an axis shows it: 20k, 1.5M, 0.25."""
    for size, letter in ((1e6, 'M'), (1e3, 'k')):
        if value >= size:
            return f'{value / size:.3g}{letter}'
    return f'{value:.3g}'


class Scale:
    """From values to pixels; its ticks are at round numbers. A logarithmic one begins and ends at a power of ten, or a 2 or 5 of it."""

    def __init__(self, low, high, start, end, log=False):
        self.log, self.start, self.end = log, start, end
        if log:
            steps = [m * 10.0 ** e for e in range(-4, 9) for m in (1, 2, 5)]
            self.low = max(s for s in steps if s <= low * 1.0001)
            self.high = min(s for s in steps if s >= high * 0.9999)
            inside = [s for s in steps if self.low <= s <= self.high]
            decades = [s for s in inside if math.isclose(math.log10(s), round(math.log10(s)))]
            self.ticks = inside if len(inside) <= 8 else decades
        else:
            step = 10.0 ** math.floor(math.log10(high / 4))
            step = next(step * m for m in (1, 2, 2.5, 5, 10) if high / (step * m) <= 5)
            self.low, self.high = 0.0, math.ceil(high / step - 1e-9) * step
            self.ticks = [i * step for i in range(round(self.high / step) + 1)]

    def __call__(self, value):
        if self.log:
            part = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            part = value / self.high
        return self.start + part * (self.end - self.start)


class Picture:
    """Panels side by side. `names` are the legend; each keeps its colour and its marker through all panels."""

    def __init__(self, title, subtitle, names, panels, height=300, left=64, note=''):
        self.names, self.left = list(names), left
        self.width, self.panel_width = 960, (960 - 24) / panels
        rows, x = [[]], 0.0
        for name in self.names:                 # the legend, as many in a line as fit
            size = 30 + 7.0 * len(name)
            if x + size > self.width - 40:
                rows.append([])
                x = 0.0
            rows[-1].append((x, name))
            x += size
        self.top = 62 + 20 * len(rows) + 26
        self.height = self.top + height + 62
        self.bottom = self.top + height
        self.parts = [f'<text class="ink title" x="20" y="28">{escape(title)}</text>',
                      f'<text class="faint" x="20" y="47">{escape(subtitle)}</text>']
        if len(self.names) > 1:
            for i, legend in enumerate(rows):
                for x, name in legend:
                    self.parts.append(self.marker(name, 26 + x, 66 + 20 * i))
                    self.parts.append(f'<text class="ink" x="{36 + x:.0f}" y="{70 + 20 * i}">{escape(name)}</text>')
        if note:
            self.parts.append(f'<text class="faint small" x="20" y="{self.height - 8}">{escape(note)}</text>')

    def colour(self, name):
        return COLOURS[self.names.index(name) % len(COLOURS)]

    def marker(self, name, x, y, opacity=1):
        fill = f'fill="{self.colour(name)}" opacity="{opacity}"'
        return [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" {fill}/>',
                f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" {fill}/>',
                f'<path d="M{x:.1f} {y - 5:.1f}l5 9h-10z" {fill}/>',
                f'<path d="M{x:.1f} {y - 5.5:.1f}l5.5 5.5l-5.5 5.5l-5.5 -5.5z" {fill}/>'][self.names.index(name) % 4]

    def frame(self, panel, title, y, y_label, x_label='', left=None):
        """The axes of a panel; returns where it begins and ends."""
        begin = 12 + panel * self.panel_width + (self.left if left is None else left)
        end = 12 + (panel + 1) * self.panel_width - 16
        self.parts.append(f'<text class="ink panel" x="{begin}" y="{self.top - 12}">{escape(title)}</text>')
        if y:
            for tick in y.ticks:
                self.parts.append(f'<line class="grid" x1="{begin}" x2="{end}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
                self.parts.append(f'<text class="faint small" x="{begin - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{short(tick)}</text>')
            middle = (self.top + self.bottom) / 2
            self.parts.append(f'<text class="faint small" text-anchor="middle" transform="translate({begin - 46} {middle}) rotate(-90)">{escape(y_label)}</text>')
        self.parts.append(f'<line class="axis" x1="{begin}" x2="{end}" y1="{self.bottom}" y2="{self.bottom}"/>')
        self.parts.append(f'<text class="faint small" x="{(begin + end) / 2}" y="{self.bottom + 36}" text-anchor="middle">{escape(x_label)}</text>')
        return begin, end

    def y_scale(self, low, high, log=False):
        return Scale(low, high, self.bottom, self.top, log)

    def x_ticks(self, x, vertical_grid=False, ticks=None):
        for tick in ticks or x.ticks:
            if vertical_grid:
                self.parts.append(f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{self.top}" y2="{self.bottom}"/>')
            self.parts.append(f'<text class="faint small" x="{x(tick):.1f}" y="{self.bottom + 18}" text-anchor="middle">{short(tick)}</text>')

    def bars(self, panel, title, groups, values, y, y_label, x_label=''):
        """values[group][name] = (median, lowest, highest)"""
        begin, end = self.frame(panel, title, y, y_label, x_label)
        room = (end - begin) / len(groups)
        bar = room * 0.8 / len(self.names)
        for i, group in enumerate(groups):
            middle = begin + (i + 0.5) * room
            for j, line in enumerate(group.split('\n')):
                self.parts.append(f'<text class="ink small" x="{middle:.1f}" y="{self.bottom + 18 + 13 * j}" text-anchor="middle">{escape(line)}</text>')
            for j, name in enumerate(self.names):
                if name not in values[group]:
                    continue
                median, low, high = values[group][name]
                x = middle + (j - len(self.names) / 2) * bar
                self.parts.append(f'<rect x="{x + 1:.1f}" y="{y(median):.1f}" width="{bar - 2:.1f}" height="{max(self.bottom - y(median), 0.5):.1f}" fill="{self.colour(name)}">'
                                  f'<title>{escape(name)}: {median:g} ({low:g}–{high:g})</title></rect>')
                if high > low:
                    self.parts.append(f'<path class="axis" d="M{x + bar / 2:.1f} {y(low):.1f}V{y(high):.1f}" stroke-width="1.5"/>')

    def line(self, name, points, dashed=False, markers=True):
        path = 'M' + 'L'.join(f'{x:.1f} {y:.1f}' for x, y in points)
        dash = ' stroke-dasharray="5 4"' if dashed else ''
        self.parts.append(f'<path d="{path}" fill="none" stroke="{self.colour(name)}" stroke-width="2"{dash}><title>{escape(name)}</title></path>')
        if markers:
            self.parts += [self.marker(name, x, y) for x, y in points]

    def text(self):
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}" height="{self.height}" role="img">\n'
                f'<style>{STYLE}</style>\n<rect class="paper" width="100%" height="100%" rx="6"/>\n' + '\n'.join(self.parts) + '\n</svg>\n')
