#!/usr/bin/env python3
"""race.py TRACE SECONDS [--beside COMMAND] COMMAND...: lets consumers consume together, and adds up.

Each COMMAND is a consumer: it prints "ready", waits for a line on its input, and then prints the time and how many it has consumed
so far, from time to time and at its end. All begin together. What they have consumed together goes to the file TRACE, a line of
seconds and number at a time; printed is how many in how many seconds. --beside is started with them, and ended after them.
"""
import shlex
import subprocess
import sys


def start(command):
    return subprocess.Popen(shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def wait_until_ready(process):
    line = process.stdout.readline()
    if line != 'ready\n':
        sys.exit(f'race.py: {shlex.join(process.args)} does not start: {line!r}')


def added_up(outputs):
    """[(seconds since the first begin, number consumed by all)]"""
    steps = sorted((float(time), int(number), who) for who, output in enumerate(outputs)
                   for time, number in (line.split() for line in output.splitlines()))
    so_far = [0] * len(outputs)
    trace = []
    for time, number, who in steps:
        so_far[who] = number
        trace.append((time - steps[0][0], sum(so_far)))
    return trace


def main():
    arguments = sys.argv[1:]
    trace_file, seconds = arguments.pop(0), float(arguments.pop(0))
    beside = None
    if arguments[0] == '--beside':
        beside = start(arguments[1])
        wait_until_ready(beside)
        del arguments[:2]
    consumers = [start(command) for command in arguments]
    for consumer in consumers:
        wait_until_ready(consumer)
    for process in [*consumers, *([beside] if beside else [])]:
        process.stdin.write('go\n')
        process.stdin.flush()
    outputs = []
    try:
        for consumer in consumers:
            outputs.append(consumer.communicate(timeout=seconds + 60)[0])
            if consumer.returncode:
                sys.exit(f'race.py: {shlex.join(consumer.args)} ended with {consumer.returncode}')
    finally:
        for process in [*consumers, *([beside] if beside else [])]:
            if process.poll() is None:
                process.kill()
    trace = added_up(outputs)
    with open(trace_file, 'w', encoding='utf-8') as file:
        file.writelines(f'{time:.6f}\t{number}\n' for time, number in trace)
    print(trace[-1][1], f'{trace[-1][0]:.6f}')


main()
