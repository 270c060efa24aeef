// An authority, a relay and an agent in a temporary directory: what most tests of whole programs start from.

import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import type { ExecutionContext } from 'ava'
import { initAuthority } from '../../pki/init.ts'
import { issueIdentity } from '../../pki/issue.ts'
import type { IssueOrder } from '../../pki/policy.ts'
import { Daemon } from './daemon.ts'
import { eventually } from './eventually.ts'

export const AGENT_NAME = 'web01.example.com'
export const RELAY_NAME = 'relay.example.com'

type Options = Record<string, unknown>

export interface Status {
  readonly pid: number
  readonly problems: readonly string[]
  readonly spool: { readonly used_bytes: number }
  readonly destinations: ReadonlyArray<{ readonly state: string; readonly trouble: string; readonly lag_bytes: number }>
  readonly refused?: ReadonlyArray<{ readonly peer: string; readonly check: string; readonly text: string }>
  readonly loss?: Readonly<Record<string, number>>
  readonly metrics: Readonly<Record<string, number>>
}

/** A directory that is gone after the test. Its path is short, since sockets are made in it. */
export function temporaryDirectory(t: ExecutionContext): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'loghop-'))
  t.teardown(() => fs.rmSync(directory, { recursive: true, force: true }))
  return directory
}

export class Chain {
  readonly directory: string
  readonly socket: string
  readonly logs: string
  /** Where the agent's messages land. */
  readonly file: string
  /** agent.yaml, written anew at each start but for the relay's port. */
  readonly agentOptions: Options
  readonly relayOptions: Options
  /** What the agent dials. */
  dialled = '127.0.0.1'
  port = 0
  relay!: Daemon
  agent!: Daemon
  readonly #t: ExecutionContext

  private constructor(t: ExecutionContext, directory: string) {
    this.#t = t
    this.directory = directory
    this.socket = path.join(directory, 'log')
    this.logs = path.join(directory, 'logs')
    this.file = path.join(this.logs, AGENT_NAME, 'messages')
    this.agentOptions = {
      identity: path.join(directory, 'agent-identity'),
      hostname: AGENT_NAME,
      spool: { directory: path.join(directory, 'agent-spool') },
      sources: [{ unix: this.socket }],
    }
    this.relayOptions = {
      identity: path.join(directory, 'relay-identity'),
      spool: { directory: path.join(directory, 'relay-spool') },
      listeners: [{ clients: { names: ['*.example.com'] } }],
      destinations: [{ files: path.join(this.logs, '$HOST/messages') }],
    }
  }

  /** Authority and both identities; nothing runs yet. */
  static async make(t: ExecutionContext): Promise<Chain> {
    const chain = new Chain(t, temporaryDirectory(t))
    await initAuthority({ directory: chain.place('ca'), name: 'Test Logs' }, Date.now())
    await chain.issue('relay-identity', { name: RELAY_NAME, role: 'relay', san: ['localhost', '127.0.0.1'] })
    await chain.issue('agent-identity', { name: AGENT_NAME, role: 'agent' })
    return chain
  }

  /** The same, with relay and agent running. */
  static async start(t: ExecutionContext): Promise<Chain> {
    const chain = await Chain.make(t)
    await chain.startRelay()
    await chain.startAgent()
    return chain
  }

  place(name: string): string {
    return path.join(this.directory, name)
  }

  /** An identity of this authority, or of another one that was made in the directory. @returns its directory */
  async issue(name: string, order: IssueOrder, authority = 'ca'): Promise<string> {
    await issueIdentity({ ...order, directory: this.place(authority), out: this.place(name) }, Date.now())
    return this.place(name)
  }

  get agentConfig(): string {
    fs.writeFileSync(this.place('agent.yaml'), JSON.stringify({ relays: [`${this.dialled}:${this.port || 1}`], ...this.agentOptions }))
    return this.place('agent.yaml')
  }

  get relayConfig(): string {
    const listeners = this.relayOptions['listeners'] as Options[]
    const isPlain = (listener: Options): boolean => ['tcp', 'udp', 'unix'].some((kind) => kind in listener)
    const bound = listeners.map((listener) => (isPlain(listener) ? listener : { tls: `127.0.0.1:${this.port}`, ...listener }))
    fs.writeFileSync(this.place('relay.yaml'), JSON.stringify({ ...this.relayOptions, listeners: bound }))
    return this.place('relay.yaml')
  }

  /** On a free port the first time, and on the same one from then on. */
  async startRelay(): Promise<Daemon> {
    await eventually('the port of the relay to be free again', async () => {
      this.relay = Daemon.spawn(this.#t, 'relay', this.relayConfig)
      try {
        this.port = Number(/127\.0\.0\.1:(\d+)/.exec(await this.relay.event('started'))![1])
        return true
      } catch (error) {
        // While the relay was down, some client may have been given its port.
        if (this.port !== 0 && this.relay.said.includes('Cannot listen')) return false
        throw error
      }
    })
    return this.relay
  }

  async startAgent(): Promise<Daemon> {
    this.agent = Daemon.spawn(this.#t, 'agent', this.agentConfig)
    await this.agent.event('started')
    return this.agent
  }

  /** Waits until that many lines stand in the file. @returns them all */
  lines(count: number, file = this.file): Promise<string[]> {
    let seen: string[] = []
    return eventually(
      `${count} lines in ${path.basename(path.dirname(file))}/${path.basename(file)}`,
      () => {
        seen = linesOf(file)
        return seen.length >= count ? seen : undefined
      },
      () => `There are ${seen.length}. ${this.agent?.said}\n${this.relay?.said}`,
    )
  }

  /** Waits until the file has that many bytes. */
  async grown(bytes: number, file = this.file): Promise<void> {
    await eventually(
      `${bytes} bytes in the file`,
      () => sizeOf(file) >= bytes,
      () => `There are ${sizeOf(file)}. ${this.agent?.said}\n${this.relay?.said}`,
    )
  }
}

export function sizeOf(file: string): number {
  return fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0
}

/** The whole lines of a file; none when it is not there. */
export function linesOf(file: string): string[] {
  if (!fs.existsSync(file)) return []
  const lines = fs.readFileSync(file, 'utf8').split('\n')
  lines.pop()
  return lines
}
