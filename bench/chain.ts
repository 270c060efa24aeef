import { type ChildProcess, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { initAuthority } from '../pki/init.ts'
import { issueIdentity } from '../pki/issue.ts'
import { fixedPort } from '../test/support/fixed-port.ts'
import { HOST, Host, type Running } from './systems/system.ts'

function startDaemon(name: string, directory: string): Promise<ChildProcess> {
  const entry = fileURLToPath(new URL('../cli/loghop.js', import.meta.url))
  const flags = (process.env[`BENCH_${name.toUpperCase()}_FLAGS`] ?? '').split(' ').filter((flag) => flag !== '')
  const child = spawn(process.execPath, [...flags, entry, name, 'run', '--config', path.join(directory, `${name}.yaml`)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  return new Promise((resolve, reject) => {
    let said = ''
    child.stderr!.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8')
      if (/ info started: /.test(said)) resolve(child)
      if (/ (warn|error) /.test(chunk.toString('utf8'))) process.stderr.write(chunk)
    })
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code}: ${said}`)))
  })
}

export function hostOf(name: string, directory: string): Promise<Host> {
  return Host.start(async () => [await startDaemon(name, directory)])
}

/** @returns the port */
export async function writeRelayConfiguration(directory: string, identity: string, more: readonly string[] = []): Promise<number> {
  const port = await fixedPort()
  fs.writeFileSync(
    `${directory}/relay.yaml`,
    `identity: ${identity}
spool: { directory: ${directory}/relay-spool }
listeners: [ { tls: "127.0.0.1:${port}", clients: { names: ["*.example.com"] }, limits: { per_address: 5000, per_identity: 5000, names: 20000, origins: 20000 } } ]
destinations: [ ${[`{ files: "${directory}/logs/$HOST/messages" }`, ...more].join(', ')} ]
`,
  )
  return port
}

export interface ChainOptions {
  /** Of agent.yaml. */
  readonly more?: string
  /** Of the agent's spool. */
  readonly compress?: 'none' | 'zstd'
  /** host:port of a further relay that the relay hands everything on to. */
  readonly forwardTo?: string
  /** Of an authority that is there already. */
  readonly authority?: string
}

/** An agent and a relay as processes of their own, with mutual TLS between them. */
export async function startChain(directory: string, options: ChainOptions = {}): Promise<Running> {
  const authority = options.authority ?? path.join(directory, 'ca')
  if (options.authority === undefined) await initAuthority({ directory: authority, name: 'Bench' }, Date.now())
  await issueIdentity(
    {
      name: 'site.example.com',
      role: 'relay',
      san: ['localhost'],
      speaksFor: ['*.example.com'],
      directory: authority,
      out: `${directory}/relay-identity`,
    },
    Date.now(),
  )
  await issueIdentity({ name: HOST, role: 'agent', directory: authority, out: `${directory}/agent-identity` }, Date.now())
  const onward = options.forwardTo === undefined ? [] : [`{ forward: [ "${options.forwardTo}" ] }`]
  const port = await writeRelayConfiguration(directory, `${directory}/relay-identity`, onward)
  const receiving = await hostOf('relay', directory)
  fs.writeFileSync(
    `${directory}/agent.yaml`,
    `identity: ${directory}/agent-identity
hostname: ${HOST}
spool: { directory: ${directory}/agent-spool, compress: ${options.compress ?? 'none'} }
sources: [ { unix: ${directory}/log } ]
relays: [ "localhost:${port}" ]
${options.more ?? ''}`,
  )
  const sending = await hostOf('agent', directory)
  return { socket: `${directory}/log`, file: `${directory}/logs/${HOST}/messages`, sending, receiving }
}
