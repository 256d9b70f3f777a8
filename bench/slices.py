#!/usr/bin/env python3
"""slices.py CLIENTS ROUNDS SECONDS POSTMASTER BETWEEN (NAME SEQUENCE OPTIONS SCRIPT)...: compares writers side by side, with warm sessions.

Each variant has a pgbench of its own, which runs SCRIPT with CLIENTS sessions whose settings are OPTIONS (as in PGOPTIONS). All connect at the
beginning and run for about a second each: the sessions of an application's pool have filled their caches too. From then on one variant runs at
a time, for a short slice, while the others are stopped (SIGSTOP): what the machine does besides falls on all of them alike. A turn is a slice of
each variant, and each turn begins with another one; a round is as many turns as each variant has slices in SECONDS. Before each round BETWEEN is
executed, SQL with a statement on each line.

Printed is, for each round and variant: the round, the name, the inserts per second and the µs of CPU time that each took, as medians of the
slices. SEQUENCE counts the inserts. The CPU time is that of all of the server's processes, but for the session that reads the sequence.
"""
import os
import signal
import statistics
import subprocess
import sys
import time

SLICE = 0.4
LEAD = 0.1          # of which the first part is not measured: until all sessions are at it
WARM_UP = 0.8       # how long each runs once at the beginning, and
REFILL = 0.2        # after BETWEEN, which may have thrown away what the sessions had planned and the tables' first pages


class Session:
    """A session of psql, for what has to be asked meanwhile."""

    def __init__(self):
        self.psql = subprocess.Popen(['psql', '-XAtq', '-v', 'ON_ERROR_STOP=1'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.backend = self.ask('SELECT pg_backend_pid();')[0]

    def ask(self, query):
        """The columns of the one line that it answers."""
        self.psql.stdin.write(query + '\n')
        self.psql.stdin.flush()
        line = self.psql.stdout.readline()
        if not line:
            sys.exit(f'slices.py: no answer to {query}')
        return line.strip().split('|')

    def execute(self, statements):
        self.ask(statements + '\n\\echo done')

    def wait_for(self, what, number):
        """Until so many sessions of pgbench are like that."""
        deadline = time.monotonic() + 60
        while self.ask(f"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgbench' AND {what};")[0] != str(number):
            if time.monotonic() > deadline:
                sys.exit(f'slices.py: there are not {number} sessions: {what}')
            time.sleep(0.005)


class Processor:
    """The CPU time of the server's processes but one, by the kernel's accounting, in nanoseconds."""

    def __init__(self, postmaster, without):
        with open(f'/proc/{postmaster}/task/{postmaster}/children', encoding='ascii') as children:
            pids = [postmaster, *(pid for pid in children.read().split() if pid != without)]
        self.files = {os.open(f'/proc/{pid}/schedstat', os.O_RDONLY): 0 for pid in pids}     # and what was read last

    def close(self):
        for file in self.files:
            os.close(file)

    def used(self):
        for file in self.files:
            try:
                self.files[file] = int(os.pread(file, 100, 0).split()[0])
            except ProcessLookupError:      # it has ended meanwhile
                pass
        return sum(self.files.values())


class Variant:
    def __init__(self, name, sequence, options, script, clients):
        self.name = name
        self.counted = f'SELECT last_value, extract(epoch FROM clock_timestamp()) FROM {sequence};'
        self.rates, self.costs = [], []
        # It ends with this program, even while it is stopped.
        self.pgbench = subprocess.Popen(['setpriv', '--pdeathsig', 'KILL', 'pgbench', '-n', '-M', 'prepared', '-c', clients, '-j', '2', '-T', '1000000', '-f', script],
                                        env=dict(os.environ, PGOPTIONS=options), stdout=subprocess.DEVNULL)

    def go_on(self):
        self.pgbench.send_signal(signal.SIGCONT)

    def stop(self, session):
        """Afterwards nothing of it is under way any more: not a statement, and not the waking of who listens."""
        if self.pgbench.poll() is not None:
            sys.exit(f'slices.py: pgbench has ended ({self.name})')
        self.pgbench.send_signal(signal.SIGSTOP)
        session.wait_for("state <> 'idle'", 0)
        time.sleep(0.02)

    def run(self, session, seconds):
        self.go_on()
        time.sleep(seconds)
        self.stop(session)

    def measure(self, session, processor):
        self.go_on()
        time.sleep(LEAD)
        used_before = processor.used()
        count, clock = map(float, session.ask(self.counted))
        time.sleep(SLICE - LEAD)
        used = processor.used() - used_before
        count_after, clock_after = map(float, session.ask(self.counted))
        self.stop(session)
        inserts = count_after - count
        if not inserts:
            sys.exit(f'slices.py: {self.name} has inserted nothing')
        self.rates.append(inserts / (clock_after - clock))
        self.costs.append(used / 1000 / inserts)


def measure_round(number, variants, session, processor, turns):
    for turn in range(turns):
        first = (number + turn) % len(variants)
        for variant in variants[first:] + variants[:first]:
            variant.measure(session, processor)
    for variant in variants:
        print(number, variant.name, f'{statistics.median(variant.rates):.0f}', f'{statistics.median(variant.costs):.1f}', sep='\t', flush=True)
        variant.rates, variant.costs = [], []


def main():
    clients, rounds, seconds, postmaster, between, *rest = sys.argv[1:]
    session = Session()
    session.execute(between)
    variants = []
    try:
        for i in range(0, len(rest), 4):
            variants.append(Variant(*rest[i:i + 4], clients))
            session.wait_for('true', int(clients) * len(variants))
            variants[-1].run(session, WARM_UP)
        for number in range(1, int(rounds) + 1):
            session.execute(between)
            for variant in variants:
                variant.run(session, REFILL)
            processor = Processor(postmaster, session.backend)
            measure_round(number, variants, session, processor, max(1, int((float(seconds) - REFILL) / SLICE)))
            processor.close()
    finally:
        for variant in variants:
            variant.pgbench.kill()
            variant.pgbench.wait()


main()
