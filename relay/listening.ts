// A listener as it runs: one place that is bound, whose terms change while connections stand.

import * as fs from 'node:fs'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Identity } from '../core/identity/identity.ts'
import { peerCredentials } from '../core/platform/peer-credentials.ts'
import { Acceptor, type AcceptorLimits, type PeerAddress } from '../core/transport/acceptor.ts'
import { type AddressLists, AddressRules } from '../core/transport/address-rules.ts'
import type { Admission, AdmissionPolicy } from '../core/transport/admission.ts'
import { type Bind, formatBind, type Place } from '../core/transport/bind.ts'
import { describeCertificate } from '../core/transport/certificate.ts'
import { TlsListener } from '../core/transport/tls-listener.ts'
import { ForeignMessages } from './foreign-messages.ts'
import type { ListenerOptions, PlainListenerConfiguration, TlsListenerConfiguration } from './listener-options.ts'
import type { NameBudget } from './name-budget.ts'
import { Origins, type Rights } from './origins.ts'
import type { PeerWorld } from './peer.ts'
import type { Refusals } from './refusals.ts'
import { UdpListener } from './udp-listener.ts'

export type Admitted = Extract<Admission, { kind: 'admitted' }>

export interface ListeningWorld extends PeerWorld {
  readonly guard: ConstructorParameters<typeof ForeignMessages>[0]['guard']
  readonly refusals: Refusals
  readonly identity: () => Identity
  readonly budget: NameBudget
  /** Connections that it may have. */
  readonly connectionsLimit: (listener: ListenerOptions) => number
  /** @param refusal why it may not stay, by what the listener says then */
  onPeer(listening: Listening, socket: TLSSocket, admitted: Admitted, address: PeerAddress, refusal: () => string | undefined): void
  onPlain(listening: Listening, socket: Socket, address: PeerAddress, origins: Origins, refusal: () => string | undefined): void
}

export interface Listening {
  /** By which a later configuration finds it again. */
  readonly key: string
  readonly bind: Bind
  /** What the configuration says of it now. */
  readonly listener: ListenerOptions
  /** Texts of what is bound. */
  readonly bound: readonly string[]
  /** @throws {LoghopError} a passed socket is not loopback; or the errno of bind or listen */
  listen(): Promise<void>
  use(identity: Identity): void
  /** The same place on other terms. Who is connected stays; the door asks who may. */
  change(listener: ListenerOptions): void
  pause(isPaused: boolean): void
  /** Takes nobody in any more; who is connected stays, and what lies in the socket of datagrams is read first. */
  leave(): Promise<void>
  close(destroy: boolean): void
}

/** The places that the configuration names for a listener. */
export function bindsOf(listener: ListenerOptions): readonly Bind[] {
  return 'tls' in listener ? listener.tls : 'tcp' in listener ? listener.tcp : 'udp' in listener ? listener.udp : listener.unix
}

/** What cannot change without another socket. */
export function placeKey(listener: ListenerOptions, bind: Bind): string {
  const kind = 'tls' in listener ? 'tls' : 'tcp' in listener ? 'tcp' : 'udp' in listener ? 'udp' : 'unix'
  return `${kind} ${formatBind(bind)}`
}

export function makeListening(
  key: string,
  bind: Bind,
  listener: ListenerOptions,
  places: readonly Place[],
  world: ListeningWorld,
): Listening {
  const common = { key, bind, places, world }
  if ('tls' in listener) return new TlsListening(listener, common)
  return 'udp' in listener ? new DatagramListening(listener, common) : new StreamListening(listener, common)
}

/** What a sender may say by its certificate, or by the listener where that says nothing. */
export function rightsOf(
  listener: ListenerOptions,
  own: Pick<Rights, 'name' | 'aliases'>,
  speaksFor: readonly string[] = listener.speaks_for,
): Rights {
  return { ...own, speaksFor, onMismatch: listener.on_mismatch, namesLimit: listener.limits.names }
}

interface Common {
  readonly key: string
  readonly bind: Bind
  readonly places: readonly Place[]
  readonly world: ListeningWorld
}

function listsOf(listener: ListenerOptions): AddressLists {
  return { deny: [], allow: [], proxy: [], ...listener }
}

function limitsOf(listener: ListenerOptions, world: ListeningWorld): AcceptorLimits {
  const { per_address: addressLimit, per_user: userLimit, handshake: headerLimitMs } = listener.limits
  return { connectionsLimit: world.connectionsLimit(listener), addressLimit, userLimit, headerLimitMs }
}

function addressRefusal(rules: AddressRules, { address }: PeerAddress): string | undefined {
  const list = address.startsWith('unix') ? undefined : rules.refusedBy(address)
  return list === undefined ? undefined : `${list} ${list === 'deny' ? 'lists' : 'does not list'} ${address}`
}

function policyOf({ clients }: TlsListenerConfiguration): AdmissionPolicy {
  return { names: clients.names, pins: clients.pins, issuers: clients.issuers, commonName: clients.common_name }
}

/** What all kinds of listeners have. */
class BoundListener<Configuration extends ListenerOptions> {
  readonly key: string
  readonly bind: Bind
  listener: Configuration
  bound: readonly string[] = []
  protected readonly world: ListeningWorld
  protected readonly rules: AddressRules

  constructor(listener: Configuration, { key, bind, world }: Common) {
    this.key = key
    this.bind = bind
    this.listener = listener
    this.world = world
    this.rules = new AddressRules(listsOf(listener))
  }

  /** Only TLS has one. */
  use(_identity: Identity): void {}

  /** The door pauses the connections themselves. */
  pause(_isPaused: boolean): void {}
}

class TlsListening extends BoundListener<TlsListenerConfiguration> implements Listening {
  readonly #tls: TlsListener

  constructor(listener: TlsListenerConfiguration, common: Common) {
    super(listener, common)
    const { places, world } = common
    const { refusals } = world
    const { headerLimitMs: handshakeLimitMs, ...limits } = limitsOf(listener, world)
    this.#tls = new TlsListener({ places, rules: this.rules, ...limits, handshakeLimitMs, policy: policyOf(listener) }, world.identity(), {
      onPeer: (socket, admitted, address) => {
        const refusal = (): string | undefined => {
          const now = this.#tls.admit(socket)
          if (now.kind === 'refused') return now.sentence
          return now.name === admitted.name ? addressRefusal(this.rules, address) : `its name is ${now.name}`
        }
        world.onPeer(this, socket, admitted, address, refusal)
      },
      onRefused: (refused, peer) => {
        const presented = refused.facts === undefined ? '' : `; it presented ${describeCertificate(refused.facts)}`
        const fields: Record<string, string> = refused.facts === undefined ? {} : { sha256: refused.facts.certificateSha256 }
        refusals.add(peer, refused.check, `${refused.sentence}${presented}. ${refused.remedy}`, fields)
      },
      onTurnedAway: ({ check, sentence, remedy }, peer) => refusals.add(peer, check, `${sentence}. ${remedy}`),
    })
  }

  async listen(): Promise<void> {
    this.bound = await this.#tls.listen()
  }

  override use(identity: Identity): void {
    this.#tls.use(identity)
  }

  change(next: ListenerOptions): void {
    this.listener = next as TlsListenerConfiguration
    this.rules.use(listsOf(next))
    this.#tls.permit(policyOf(this.listener))
    const { headerLimitMs, ...limits } = limitsOf(next, this.world)
    this.#tls.change({ ...limits, handshakeLimitMs: headerLimitMs })
  }

  async leave(): Promise<void> {
    this.#tls.close(false)
  }

  close(destroy: boolean): void {
    this.#tls.close(destroy)
  }
}

function plainOrigins(listener: PlainListenerConfiguration, world: ListeningWorld): Rights {
  return rightsOf(listener, { name: listener.name ?? world.name, aliases: [] })
}

type StreamConfiguration = Exclude<PlainListenerConfiguration, { udp: unknown }>
type DatagramConfiguration = Extract<PlainListenerConfiguration, { udp: unknown }>

class StreamListening extends BoundListener<StreamConfiguration> implements Listening {
  readonly #origins: Origins
  readonly #acceptor: Acceptor

  constructor(listener: StreamConfiguration, common: Common) {
    super(listener, common)
    const { places, world } = common
    this.#origins = new Origins(plainOrigins(listener, world), world.budget)
    const userOf = (socket: Socket): number | undefined => {
      const { uid } = peerCredentials(socket)
      return uid === -1 ? undefined : uid
    }
    const unixMode = 'unix' in listener ? listener.mode : 0o600
    this.#acceptor = new Acceptor(
      { places, isLocalOnly: true, rules: this.rules, ...limitsOf(listener, world), unixMode, userOf },
      {
        onConnection: (socket, address) => world.onPlain(this, socket, address, this.#origins, () => addressRefusal(this.rules, address)),
        onTurnedAway: ({ check, sentence, remedy }, peer) => world.refusals.add(peer, check, `${sentence}. ${remedy}`),
      },
    )
  }

  async listen(): Promise<void> {
    this.bound = await this.#acceptor.listen()
  }

  change(next: ListenerOptions): void {
    const listener = next as StreamConfiguration
    if ('unix' in listener && 'unix' in this.listener && listener.mode !== this.listener.mode) this.#allow(listener.mode)
    this.listener = listener
    this.rules.use(listsOf(listener))
    this.#origins.use(plainOrigins(listener, this.world))
    this.#acceptor.change(limitsOf(listener, this.world))
  }

  async leave(): Promise<void> {
    this.#acceptor.close(false)
  }

  close(destroy: boolean): void {
    this.#acceptor.close(destroy)
  }

  #allow(mode: number): void {
    if (this.bind.kind !== 'path') return
    try {
      fs.chmodSync(this.bind.path, mode)
    } catch (error) {
      const text = `Cannot change the permissions of ${this.bind.path}: ${(error as Error).message}. They are as before`
      this.world.log.error('listener-mode', text, {})
    }
  }
}

class DatagramListening extends BoundListener<DatagramConfiguration> implements Listening {
  readonly #origins: Origins
  readonly #udp: UdpListener

  constructor(listener: DatagramConfiguration, common: Common) {
    super(listener, common)
    const { places, world } = common
    this.#origins = new Origins(plainOrigins(listener, world), world.budget)
    const options = { places, rules: this.rules, limitBytes: listener.limit, origins: this.#origins }
    this.#udp = new UdpListener(options, new ForeignMessages(world, listener.limit, true), world, world.refusals)
  }

  async listen(): Promise<void> {
    this.bound = await this.#udp.listen()
  }

  change(next: ListenerOptions): void {
    const listener = next as DatagramConfiguration
    if (listener.limit !== this.listener.limit) this.#udp.change(listener.limit, new ForeignMessages(this.world, listener.limit, true))
    this.listener = listener
    this.rules.use(listsOf(listener))
    this.#origins.use(plainOrigins(listener, this.world))
  }

  override pause(isPaused: boolean): void {
    this.#udp.isPaused = isPaused
  }

  leave(): Promise<void> {
    return this.#udp.leave()
  }

  close(): void {
    this.#udp.close()
  }
}
