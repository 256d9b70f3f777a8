"""The results of the sections, as report.py and charts.py read them.

results/SECTION.tsv holds lines "setting NAME TEXT" and "result GROUP CASE UNIT ROUND VALUE BASE". All values of the same section, group, case and unit
become one cell: its median, lowest and highest, and, where it has a base, the median, lowest and highest of the ratio to the base in the same round.
"""
import statistics
from dataclasses import dataclass, field
from pathlib import Path

SECTIONS = ['write', 'bulk', 'drain', 'held', 'backlog', 'cliffs', 'latency', 'idle', 'churn']


@dataclass
class Cell:
    section: str
    group: str
    case: str
    unit: str
    base: str = ''
    by_round: dict = field(default_factory=dict)
    ratios: list = field(default_factory=list)

    @property
    def values(self):
        return list(self.by_round.values())

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def ratio(self):
        return statistics.median(self.ratios) if self.ratios else None


class Results:
    def __init__(self, folder):
        self.settings = []
        self.cells = {}
        for section in ['machine', *SECTIONS]:
            file = Path(folder) / f'{section}.tsv'
            if file.exists():
                self._read(section, file)
        for cell in self.cells.values():
            base = self.cells.get((cell.section, cell.group, cell.base, cell.unit))
            if base and base is not cell:
                cell.ratios = [value / base.by_round[r] for r, value in cell.by_round.items() if base.by_round.get(r)]

    def _read(self, section, file):
        for line in file.read_text(encoding='utf-8').splitlines():
            kind, *fields = line.split('\t')
            if kind == 'setting':
                if tuple(fields) not in self.settings:
                    self.settings.append(tuple(fields))
                continue
            group, case, unit, number, value, base = fields
            cell = self.cells.setdefault((section, group, case, unit), Cell(section, group, case, unit, base))
            cell.by_round[number] = float(value)

    def of(self, section, unit=None):
        return [c for c in self.cells.values() if c.section == section and unit in (None, c.unit)]
