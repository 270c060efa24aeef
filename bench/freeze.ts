// npm run bench:freeze: does a program that logs ever wait? The relay is gone, the spool is full, and 10,000 lines come each second for a minute.

import { spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { initAuthority } from '../pki/init.ts'
import { issueIdentity } from '../pki/issue.ts'
import { startDaemon, stopDaemon } from './chain.ts'
import { compile } from './compile.ts'
import { ranInNamespace } from './namespace.ts'

const RATE = 10_000
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 60)
const BYTES = 200
/** Fills the smallest spool there is, 64 MiB. */
const FILL_MESSAGES = 260_000

function send(sender: string, ...args: string[]): Promise<{ seconds: number; p50: number; p99: number; max: number }> {
  const child = spawn(sender, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8')
  })
  return new Promise((resolve, reject) => {
    child.once('close', (code) => (code === 0 ? resolve(JSON.parse(text)) : reject(new Error(`the sender ended with ${code}`))))
  })
}

async function main(): Promise<void> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'loghop-freeze-'))
  try {
    const sender = compile(directory, 'sender')
    await initAuthority({ directory: `${directory}/ca`, name: 'Bench' }, Date.now())
    await issueIdentity(
      { name: 'web01.example.com', role: 'agent', directory: `${directory}/ca`, out: `${directory}/identity` },
      Date.now(),
    )
    fs.writeFileSync(
      `${directory}/agent.yaml`,
      `identity: ${directory}/identity
spool: { directory: ${directory}/spool, limit: 64MiB }
sources: [ { unix: ${directory}/log } ]
relays: [ "127.0.0.1:1" ]
stop_timeout: 100ms
`,
    )
    const agent = await startDaemon('agent', directory)
    await send(sender, `${directory}/log`, String(FILL_MESSAGES), String(BYTES))
    const taken = await send(sender, `${directory}/log`, String(RATE * SECONDS), String(BYTES), String(RATE))
    await stopDaemon(agent.child)
    const queue = fs.readFileSync('/proc/sys/net/unix/max_dgram_qlen', 'latin1').trim()
    process.stdout.write(
      `send(2) with the relay gone and the spool full, ${RATE} lines/s for ${taken.seconds.toFixed(1)} s, queue of ${queue}: p50 ${taken.p50} ms, p99 ${taken.p99} ms, max ${taken.max} ms   (target: max at most 50 ms)\n`,
    )
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
}

if (!ranInNamespace()) await main()
