// pg-boss: setup | load ROWS | drain BATCH SECONDS | react | statement
//
// drain: fetch() of BATCH jobs and complete() of all of them, again and again. Ends when there are none.
// react: work() on a queue that notifies, in batches of 100, fetching at once again while batches are full.
// statement: prints the SQL by which send() inserts a job into such a queue; $1 is a JSON array of jobs.
import { PgBoss } from 'pg-boss'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import pg from 'pg'
import { ready, nextLine, Progress, arrived, multiply, payload } from './consumer.mjs'

const [command, first, second] = process.argv.slice(2)
const connectionString = `postgres://postgres@/postgres?host=${process.env.PGHOST}`
const boss = new PgBoss({ connectionString, max: 4, useListenNotify: command === 'react', migrate: command === 'setup' })
boss.on('error', (error) => process.stderr.write(`${error}\n`))

const commands = {
    async setup() {
        await boss.start()
        await boss.createQueue('bench')
        await boss.createQueue('react', { notify: true })
    },

    async load() {
        const client = new pg.Client()
        await client.connect()
        await client.query("DELETE FROM pgboss.job WHERE name = 'bench'")
        await boss.start()
        await boss.send('bench', payload)
        await multiply(client, 'pgboss.job', 'id', 'gen_random_uuid()', first)
        await client.end()
    },

    async drain() {
        await boss.start()
        ready()
        await nextLine()
        const progress = new Progress()
        const end = Date.now() + 1000 * second
        while (Date.now() < end) {
            const jobs = await boss.fetch('bench', { batchSize: Number(first) })
            if (jobs.length === 0) break
            await boss.complete('bench', jobs.map((job) => job.id))
            progress.add(jobs.length)
        }
        progress.end()
        process.exit(0)
    },

    async react() {
        await boss.start()
        await boss.work('react', { batchSize: 100, burstWhenBatchFull: true }, (jobs) => { for (const job of jobs) arrived(job.data) })
        ready()
        while (await nextLine() !== undefined);
        process.exit(0)
    },

    async statement() {
        const main = createRequire(import.meta.url).resolve('pg-boss')
        const { insertJobs } = await import(join(dirname(main), 'plans.js'))
        const { rows } = await (async () => {
            const client = new pg.Client()
            await client.connect()
            const answer = await client.query("SELECT table_name FROM pgboss.queue WHERE name = 'react'")
            await client.end()
            return answer
        })()
        process.stdout.write(insertJobs('pgboss', { table: rows[0].table_name, name: 'react', notify: true }).replaceAll(/\s+/g, ' '))
        process.exit(0)
    },
}
await commands[command]()
await boss.stop({ graceful: false })
process.exit(0)
