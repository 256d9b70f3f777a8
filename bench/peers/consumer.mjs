// What the Node.js consumers have in common: the protocol of race.py (drain) and of latency.cpp (react).
import { createInterface } from 'node:readline'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

export const now = () => (performance.timeOrigin + performance.now()) / 1000
export const ready = () => process.stdout.write('ready\n')
// The line that lets it begin; undefined when the input has been closed.
export const nextLine = async () => (await lines.next()).value

// Counts what is consumed, and prints the time and the number every 20 ms at most.
export class Progress {
    count = 0
    printed = 0
    last = now()

    constructor() { this.print() }
    print() {
        process.stdout.write(`${this.last.toFixed(6)} ${this.count}\n`)
        this.printed = this.last
    }
    add(count) {
        this.count += count
        this.last = now()
        if (this.last > this.printed + 0.02) this.print()
    }
    end() { if (this.last > this.printed) this.print() }
}

// One line for each job: when it was written and when it came, µs.
export function arrived(job) {
    process.stdout.write(`${job.sent} ${Math.round(now() * 1e6)}\n`)
}

// Inserts so many copies of the only row of a table, each with its own key.
export async function multiply(client, table, key, value, count) {
    const { rows } = await client.query('SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = \'\' AND attname <> $2', [table, key])
    const columns = rows.map((r) => `"${r.attname}"`).join(', ')
    const keyColumn = value ? `, "${key}"` : ''
    await client.query(`INSERT INTO ${table} (${columns}${keyColumn}) SELECT ${columns}${value ? `, ${value}` : ''} FROM ${table}, generate_series(2, ${Number(count)})`)
}

export const payload = { op: 'insert', table: 'media', new: { path: 'x'.repeat(80) } }
