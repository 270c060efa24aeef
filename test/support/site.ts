// An authority that serves, and the hosts that join it: agent and relay as real processes whose identities keep themselves fresh.

import * as fs from 'node:fs'
import * as path from 'node:path'
import type { ExecutionContext } from 'ava'
import type { StatusDocument } from '../../core/daemon/status-socket.ts'
import { askStatus } from '../../core/daemon/status-socket.ts'
import { type InviteOrder, invite } from '../../pki/invitations.ts'
import { revoke } from '../../pki/revocation.ts'
import { AGENT_NAME, RELAY_NAME } from './chain.ts'
import { Daemon, type Finished, loghop } from './daemon.ts'
import { Enrolment } from './enrolment.ts'

export interface Host {
  readonly identity: string
  readonly config: string
}

export class Site {
  readonly est: Enrolment
  /** As the sending processes of the tests want it. */
  readonly directory: string
  readonly socket: string
  readonly file: string
  relay!: Daemon
  agent!: Daemon
  relayPort = 0
  readonly #t: ExecutionContext

  private constructor(t: ExecutionContext, est: Enrolment) {
    this.#t = t
    this.est = est
    this.directory = est.directory
    this.socket = this.place('log')
    this.file = this.place(`logs/${AGENT_NAME}/messages`)
  }

  static async make(t: ExecutionContext): Promise<Site> {
    return new Site(t, await Enrolment.start(t))
  }

  place(name: string): string {
    return path.join(this.directory, name)
  }

  /** What "pki invite" prints. */
  async token(name: string, role: 'agent' | 'relay', differing: Partial<InviteOrder> = {}): Promise<string> {
    const server = `localhost:${this.est.port}`
    const order = { name, role, ttlMs: 3_600_000, uses: 1, server, ...differing }
    return (await this.est.act((session) => invite(session, order))).token
  }

  join(role: 'agent' | 'relay', token: string, ...more: string[]): Promise<Finished> {
    return loghop(role, 'join', token, '--directory', this.identity(role), '--config', this.place(`${role}-made.yaml`), ...more)
  }

  identity(role: 'agent' | 'relay'): string {
    return this.place(`${role}-identity`)
  }

  async joined(role: 'agent' | 'relay', differing: Partial<InviteOrder> = {}): Promise<void> {
    const san = role === 'relay' ? { san: ['localhost', '127.0.0.1'] } : {}
    const token = await this.token(role === 'relay' ? RELAY_NAME : AGENT_NAME, role, { ...san, ...differing })
    const { code, stderr } = await this.join(role, token)
    this.#t.is(code, 0, stderr)
  }

  async startRelay(more: Record<string, unknown> = {}): Promise<Daemon> {
    const config = {
      identity: this.identity('relay'),
      spool: { directory: this.place('relay-spool') },
      revocation_interval: '1s',
      listeners: [{ tls: `127.0.0.1:${this.relayPort}`, clients: { names: ['*.example.com'] } }],
      destinations: [{ files: this.place('logs/$HOST/messages') }],
      ...more,
    }
    fs.writeFileSync(this.place('relay.yaml'), JSON.stringify(config))
    this.relay = Daemon.spawn(this.#t, 'relay', this.place('relay.yaml'))
    this.relayPort = Number(/127\.0\.0\.1:(\d+)/.exec(await this.relay.event('started'))![1])
    return this.relay
  }

  async startAgent(more: Record<string, unknown> = {}): Promise<Daemon> {
    const config = {
      identity: this.identity('agent'),
      hostname: AGENT_NAME,
      spool: { directory: this.place('agent-spool') },
      revocation_interval: '1s',
      sources: [{ unix: this.socket }],
      relays: [`127.0.0.1:${this.relayPort}`],
      ...more,
    }
    fs.writeFileSync(this.place('agent.yaml'), JSON.stringify(config))
    this.agent = Daemon.spawn(this.#t, 'agent', this.place('agent.yaml'))
    await this.agent.event('started')
    return this.agent
  }

  revoke(name: string): Promise<unknown> {
    return this.est.act((session) => revoke(session, name, 'keyCompromise'))
  }

  status(role: 'agent' | 'relay'): Promise<StatusDocument> {
    return askStatus(this.place(`${role}-spool`))
  }
}
