// Two agents, their site's relay and a central relay, all joined by invitation: the agents through the passthrough of their relay, as a site without another way out does it.

import * as fs from 'node:fs'
import * as path from 'node:path'
import type { ExecutionContext } from 'ava'
import { type Identity, loadIdentity } from '../../core/identity/identity.ts'
import { certificatesIn } from '../../core/transport/pem.ts'
import { Daemon, type Finished, loghop } from './daemon.ts'
import { Enrolment } from './enrolment.ts'
import { eventually } from './eventually.ts'
import { fixedPort } from './fixed-port.ts'
import { filedNumbers, type Numbered, total } from './numbered.ts'
import { type Senders, startSenders } from './senders.ts'

export const HOSTS = ['central', 'site', 'web01', 'web02'] as const
export type HostName = (typeof HOSTS)[number]

const AGENTS: readonly HostName[] = ['web01', 'web02']

function roleOf(host: HostName): 'agent' | 'relay' {
  return AGENTS.includes(host) ? 'agent' : 'relay'
}

export function nameOf(host: HostName): string {
  return `${host}.example.com`
}

type Ports = Readonly<Record<'central' | 'site' | 'passthrough', number>>

/** Identity and daemon of each host, and the authority they all have. */
export class TrustedHosts {
  readonly est: Enrolment
  readonly life: string
  readonly #t: ExecutionContext
  readonly #daemons = new Map<HostName, Daemon>()
  readonly #ports: Ports

  private constructor(t: ExecutionContext, est: Enrolment, life: string, ports: Ports) {
    this.#t = t
    this.est = est
    this.life = life
    this.#ports = ports
  }

  /** Everyone has joined and runs. @param life of each certificate, as "pki invite --life" takes it */
  static async start(t: ExecutionContext, life: string): Promise<TrustedHosts> {
    const est = await Enrolment.start(t)
    const ports = { central: await fixedPort(), site: await fixedPort(), passthrough: await fixedPort() }
    const hosts = new TrustedHosts(t, est, life, ports)
    for (const host of HOSTS) {
      await hosts.join(host)
      await hosts.#run(host)
    }
    return hosts
  }

  place(name: string): string {
    return path.join(this.est.directory, name)
  }

  daemon(host: HostName): Daemon {
    return this.#daemons.get(host)!
  }

  identity(host: HostName): Identity {
    return loadIdentity(this.#identityDirectory(host))
  }

  spool(host: HostName): string {
    return this.place(`${host}-spool`)
  }

  /** What that relay has filed of an agent. */
  file(relay: 'central' | 'site', agent: HostName): string {
    return this.place(`${relay}-logs/${nameOf(agent)}/messages`)
  }

  filed(relay: 'central' | 'site', agent: HostName): Numbered {
    const file = this.file(relay, agent)
    return fs.existsSync(file) ? filedNumbers(file) : new Map()
  }

  /** A command of the authority, which has to succeed. @returns what it printed */
  async pki(command: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await loghop('pki', command, ...args, '--directory', this.est.authority)
    this.#t.is(code, 0, `pki ${command} ${args.join(' ')}: ${stderr}`)
    return stdout
  }

  /** Invited and joined as a person does it. */
  async join(host: HostName): Promise<void> {
    const role = roleOf(host)
    const port = role === 'relay' ? this.est.port : this.#ports.passthrough
    const relay = role === 'relay' ? ['--san', '127.0.0.1', '--speaks-for', '*.example.com'] : []
    const order = [nameOf(host), '--role', role, '--life', this.life, '--server', `localhost:${port}`]
    const token = (await this.pki('invite', ...order, ...relay)).trimEnd().split('\n').at(-1)!
    const directories = ['--directory', this.#identityDirectory(host), '--config', this.place(`${host}-made.yaml`)]
    const joined: Finished = await loghop(role, 'join', token, ...directories)
    this.#t.is(joined.code, 0, joined.stderr)
  }

  /** Messages to an agent's local socket, numbered, as sender s1. */
  send(agent: HostName, rate: number): Senders {
    const chain = { directory: this.est.directory, socket: this.#socket(agent), place: (name: string) => this.place(name) }
    return startSenders(this.#t, chain, { senders: 1, rate })
  }

  renewals(host: HostName): number {
    return this.daemon(host).lines.filter((line) => line.includes(' identity-renewed: ')).length
  }

  /** Waits until each of them has renewed so often since `since`. */
  async renewed(times: number, since: ReadonlyMap<HostName, number> = new Map(), hosts: readonly HostName[] = HOSTS): Promise<void> {
    await eventually(
      `${times} renewals of ${hosts.join(', ')}`,
      () => hosts.every((host) => this.renewals(host) - (since.get(host) ?? 0) >= times),
      () => this.said,
    )
  }

  /** Number of renewals so far. */
  counted(): Map<HostName, number> {
    return new Map(HOSTS.map((host) => [host, this.renewals(host)]))
  }

  /** SHA-256 of the roots that a host trusts. */
  roots(host: HostName): string[] {
    const all = certificatesIn(this.identity(host).ca) ?? []
    return all.filter((one) => one.subject === one.issuer && one.verify(one.publicKey)).map((one) => one.fingerprint256)
  }

  async filedAll(relay: 'central' | 'site', agent: HostName, count: number): Promise<void> {
    await eventually(
      `${count} lines of ${agent} at ${relay}`,
      () => total(this.filed(relay, agent)) >= count,
      () => `There are ${total(this.filed(relay, agent))}. ${this.said}`,
    )
  }

  /** From the line in the authority's journal to the line in the relay's log. */
  cutAfterMs(relay: HostName, host: HostName): number {
    const revoked = this.est.acts('revoke').findLast(({ name }) => name === nameOf(host))!
    const cut = this.daemon(relay).lines.findLast((line) => line.includes(` peer-cut: Cut the connection of ${nameOf(host)} `))!
    return Date.parse(cut.slice(0, cut.indexOf(' '))) - Date.parse(String(revoked['at']))
  }

  get said(): string {
    return HOSTS.map((host) => `${host}: ${this.#daemons.get(host)?.said.slice(-3000) ?? 'does not run yet'}`).join('\n')
  }

  #identityDirectory(host: HostName): string {
    return this.place(`${host}-identity`)
  }

  #socket(agent: HostName): string {
    return this.place(`${agent}-log`)
  }

  async #run(host: HostName): Promise<void> {
    const file = this.place(`${host}.yaml`)
    fs.writeFileSync(file, JSON.stringify(this.#configuration(host)))
    const daemon = Daemon.spawn(this.#t, roleOf(host), file)
    this.#daemons.set(host, daemon)
    await daemon.event('started')
  }

  #configuration(host: HostName): Record<string, unknown> {
    const ports = this.#ports
    const common = { identity: this.#identityDirectory(host), spool: { directory: this.spool(host) }, revocation_interval: '1s' }
    if (roleOf(host) === 'agent') {
      return { ...common, hostname: nameOf(host), sources: [{ unix: this.#socket(host) }], relays: [`127.0.0.1:${ports.site}`] }
    }
    const files = { files: this.place(`${host}-logs/$HOST/messages`) }
    const listeners = (port: number) => [{ tls: `127.0.0.1:${port}`, clients: { names: ['*.example.com'] } }]
    if (host === 'central') return { ...common, listeners: listeners(ports.central), destinations: [files] }
    return {
      ...common,
      listeners: listeners(ports.site),
      destinations: [files, { forward: [`127.0.0.1:${ports.central}`] }],
      passthrough: { listen: `127.0.0.1:${ports.passthrough}`, to: `127.0.0.1:${this.est.port}` },
    }
  }
}
