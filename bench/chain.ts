import { type ChildProcess, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { initAuthority } from '../pki/init.ts'
import { issueIdentity } from '../pki/issue.ts'

const HOST = 'web01.example.com'

/** An agent and a relay as processes of their own, with mutual TLS between them. */
export interface Chain {
  readonly socket: string
  readonly file: string
  readonly agent: ChildProcess
  readonly relay: ChildProcess
  stop(): Promise<void>
}

export function startDaemon(name: string, directory: string): Promise<{ child: ChildProcess; started: string }> {
  const entry = fileURLToPath(new URL('../cli/loghop.js', import.meta.url))
  const flags = (process.env[`BENCH_${name.toUpperCase()}_FLAGS`] ?? '').split(' ').filter((flag) => flag !== '')
  const child = spawn(process.execPath, [...flags, entry, name, 'run', '--config', path.join(directory, `${name}.yaml`)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  return new Promise((resolve, reject) => {
    let said = ''
    child.stderr!.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8')
      if (/ info started: /.test(said)) resolve({ child, started: said })
      if (/ (warn|error) /.test(chunk.toString('utf8'))) process.stderr.write(chunk)
    })
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code}: ${said}`)))
  })
}

export function stopDaemon(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    child.kill('SIGTERM')
  })
}

/** @param more of agent.yaml */
export async function startChain(directory: string, more = ''): Promise<Chain> {
  const authority = path.join(directory, 'ca')
  await initAuthority({ directory: authority, name: 'Bench' }, Date.now())
  await issueIdentity(
    { name: 'relay.example.com', role: 'relay', san: ['localhost'], directory: authority, out: `${directory}/relay-identity` },
    Date.now(),
  )
  await issueIdentity({ name: HOST, role: 'agent', directory: authority, out: `${directory}/agent-identity` }, Date.now())
  fs.writeFileSync(
    `${directory}/relay.yaml`,
    `identity: ${directory}/relay-identity
spool: { directory: ${directory}/relay-spool }
listeners: [ { tls: "127.0.0.1:0", clients: { names: ["*.example.com"] } } ]
destinations: [ { files: "${directory}/logs/$HOST/messages" } ]
`,
  )
  const relay = await startDaemon('relay', directory)
  const port = /127\.0\.0\.1:(\d+)/.exec(relay.started)![1]
  fs.writeFileSync(
    `${directory}/agent.yaml`,
    `identity: ${directory}/agent-identity
hostname: ${HOST}
spool: { directory: ${directory}/agent-spool }
sources: [ { unix: ${directory}/log } ]
relays: [ "localhost:${port}" ]
${more}`,
  )
  const agent = await startDaemon('agent', directory)
  return {
    socket: `${directory}/log`,
    file: `${directory}/logs/${HOST}/messages`,
    agent: agent.child,
    relay: relay.child,
    stop: async () => {
      await stopDaemon(agent.child)
      await stopDaemon(relay.child)
    },
  }
}
