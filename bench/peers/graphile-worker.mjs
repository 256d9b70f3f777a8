// graphile-worker: setup | load ROWS | drain BATCH SECONDS | react
//
// drain: its settings for throughput, as its documentation on performance recommends: a local queue of BATCH jobs (without one
//   for BATCH 1), 24 jobs at once, completions batched. A job is fetched (and locked) with others, handled by a function that
//   only counts, and completed with others. Ends when no job has come for a second.
// react: its defaults, with 10 jobs at once; it is woken by NOTIFY.
import { run, makeWorkerUtils, Logger } from 'graphile-worker'
import pg from 'pg'
import { ready, nextLine, Progress, arrived, multiply, payload } from './consumer.mjs'

const [command, first, second] = process.argv.slice(2)
const pgPool = new pg.Pool({ max: 26 })
const complain = (error) => process.stderr.write(`${error}\n`)
pgPool.on('error', complain)
pgPool.on('connect', (client) => client.on('error', complain))
const logger = new Logger(() => (level, message) => { if (level === 'error') process.stderr.write(`${message}\n`) })

async function start(task, worker) {
    return run({ pgPool, logger, noHandleSignals: true, taskList: { bench: task }, preset: { worker } })
}

const commands = {
    async setup() { await (await makeWorkerUtils({ pgPool, logger })).migrate() },

    async load() {
        const client = await pgPool.connect()
        await client.query('TRUNCATE graphile_worker._private_jobs')
        await client.query("SELECT graphile_worker.add_job('bench', $1::json)", [payload])
        await multiply(client, 'graphile_worker._private_jobs', 'id', '', first)
        client.release()
    },

    async drain() {
        const size = Number(first)
        ready()
        await nextLine()
        const progress = new Progress()
        const runner = await start(() => { progress.add(1) },
            { concurrentJobs: 24, completeJobBatchDelay: 0, failJobBatchDelay: 0, ...(size > 1 && { localQueue: { size } }) })
        const end = Date.now() + 1000 * second
        while (Date.now() < end && Date.now() / 1000 < progress.last + 1) await new Promise((done) => setTimeout(done, 50))
        progress.end()
        await Promise.race([runner.stop(), new Promise((done) => setTimeout(done, 2000))])
        process.exit(0)
    },

    async react() {
        const runner = await start(arrived, { concurrentJobs: 10 })
        ready()
        while (await nextLine() !== undefined);
        await runner.stop()
    },
}
await commands[command]()
await pgPool.end()
