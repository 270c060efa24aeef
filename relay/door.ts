// The relay's door: every listener, and everyone who has come in.

import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import { LoghopError } from '../core/base/errors.ts'
import type { RepeatGuard } from '../core/daemon/repeat-guard.ts'
import type { Identity } from '../core/identity/identity.ts'
import { clearSocketPath } from '../core/platform/datagram-socket.ts'
import { peerCredentials } from '../core/platform/peer-credentials.ts'
import { isHopAddress } from '../core/spool/hops.ts'
import type { PeerAddress } from '../core/transport/acceptor.ts'
import { Acceptor } from '../core/transport/acceptor.ts'
import { type AddressLists, AddressRules } from '../core/transport/address-rules.ts'
import type { Admission, AdmissionPolicy } from '../core/transport/admission.ts'
import { formatBind, type Place, placesOf } from '../core/transport/bind.ts'
import { dayOf, describeCertificate } from '../core/transport/certificate.ts'
import { isHostName } from '../core/transport/names.ts'
import { endRefused, TlsListener } from '../core/transport/tls-listener.ts'
import { Comings } from './comings.ts'
import { ForeignMessages } from './foreign-messages.ts'
import type { ListenerOptions, PlainListenerConfiguration, TlsListenerConfiguration } from './listener-options.ts'
import { NameBudget } from './name-budget.ts'
import { Origins } from './origins.ts'
import { Peer, type PeerWorld } from './peer.ts'
import type { Refusals } from './refusals.ts'
import { UdpListener } from './udp-listener.ts'

const SWEEP_MS = 500
/** Who is not read may have given up; one that waits for acknowledgements does so after 30 s. */
const PAUSE_LIMIT_MS = 35_000
const LEAVE_LIMIT_MS = 2000
/** What the frames under way of all connections may hold; over it those are cut off that began first, and not just now. */
const HELD_LIMIT_BYTES = 128 << 20
const HELD_AGE_MS = 5000

export interface DoorWorld extends PeerWorld {
  readonly guard: RepeatGuard
  readonly refusals: Refusals
  readonly identity: () => Identity
  /** Descriptors that systemd has passed, by name. */
  readonly activated: (name: string) => readonly number[]
  readonly openFilesLimit: number
}

interface Opened {
  /** Resolves with the texts of what is bound. */
  listen(): Promise<string[]>
  use(identity: Identity): void
  /** The same listener with others who may connect. */
  change(listener: ListenerOptions): void
  close(destroy: boolean): void
  pause(isPaused: boolean): void
}

interface Guest {
  readonly peer: Peer
  readonly listener: ListenerOptions
  /** Why it may not stay, by what the listener says now. */
  readonly refusal: () => string | undefined
}

/** Whether the listeners differ in nothing but who may connect: what `change` can take over. */
export function sameButClients(before: readonly ListenerOptions[], after: readonly ListenerOptions[]): boolean {
  const rest = (listener: ListenerOptions): unknown => ({ ...listener, clients: undefined, allow: undefined, deny: undefined })
  return isDeepStrictEqual(before.map(rest), after.map(rest))
}

function listsOf(listener: ListenerOptions): AddressLists {
  return { deny: [], allow: [], proxy: [], ...listener }
}

function policyOf({ clients }: TlsListenerConfiguration): AdmissionPolicy {
  return { names: clients.names, pins: clients.pins, issuers: clients.issuers, commonName: clients.common_name }
}

function addressRefusal(rules: AddressRules, { address }: PeerAddress): string | undefined {
  const list = address === 'unix' ? undefined : rules.refusedBy(address)
  return list === undefined ? undefined : `${list} ${list === 'deny' ? 'lists' : 'does not list'} ${address}`
}

/** A local socket is this host's, as with other syslog daemons. */
function hopAddressOf({ address }: PeerAddress): string | undefined {
  const bare = address.split('%', 1)[0]!
  if (isHopAddress(bare)) return bare
  return address.startsWith('unix') ? '127.0.0.1' : undefined
}

export class Door {
  readonly #options: readonly ListenerOptions[]
  readonly #world: DoorWorld
  readonly #budget: NameBudget
  readonly #comings: Comings
  /** Of the listeners with streams, by the limit of their messages. */
  readonly #foreign = new Map<number, ForeignMessages>()
  /** One or more for each of the options. */
  readonly #opened: Array<Opened & { readonly index: number }> = []
  readonly #guests = new Map<Peer, Guest>()
  readonly #byIdentity = new Map<string, number>()
  #isPaused = false
  #resumedMs = 0
  #pausedMs = 0
  #timer: NodeJS.Timeout | undefined

  constructor(options: readonly ListenerOptions[], world: DoorWorld) {
    this.#options = options
    this.#world = world
    this.#comings = new Comings(world.log, world.clock)
    this.#budget = new NameBudget(world.clock, (name) => world.spool.knowsOrigin(name))
  }

  get peers(): readonly Peer[] {
    return [...this.#guests.keys()]
  }

  /** Opens every listener. Resolves with the texts of what is bound. @throws {LoghopError} the first that cannot be opened; those before it stay open until `close` */
  async open(): Promise<string[]> {
    const bound: string[] = []
    for (const [index, listener] of this.#options.entries()) {
      const isTls = 'tls' in listener
      const binds = 'tls' in listener ? listener.tls : 'tcp' in listener ? listener.tcp : 'udp' in listener ? listener.udp : listener.unix
      for (const bind of binds) {
        try {
          const places = await placesOf(bind, this.#world.activated, !isTls)
          for (const place of places) if (place.kind === 'path') clearSocketPath(place.path)
          const opened = this.#make(listener, places)
          this.#opened.push({ ...opened, index })
          bound.push(...(await opened.listen()))
        } catch (error) {
          if (error instanceof LoghopError) throw error
          throw new LoghopError(
            'LISTEN',
            `Cannot listen on ${formatBind(bind)}: ${(error as Error).message}`,
            bind.kind === 'path'
              ? 'Make its directory, and run the relay as a user that may write there'
              : 'Stop what has that port ("ss -ltnp" names it), or choose an address and port of this host',
            { cause: error },
          )
        }
      }
    }
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS)
    this.#timer.unref()
    return bound
  }

  use(identity: Identity): void {
    for (const opened of this.#opened) opened.use(identity)
  }

  /**
   * Lets in who may connect by these, and cuts who may not any more; everyone else stays.
   * @param options the same listeners but for that, see sameButClients. @returns how many were cut
   */
  change(options: readonly ListenerOptions[]): number {
    for (const opened of this.#opened) opened.change(options[opened.index]!)
    const { log, metrics, refusals } = this.#world
    let count = 0
    for (const { peer, refusal } of this.#guests.values()) {
      const why = refusal()
      if (why === undefined) continue
      count++
      const text = `Cut the connection of ${peer.name} (${peer.address}): by the configuration of now, ${why}`
      metrics.add('peersCut', 1)
      refusals.keep(peer.address, 'not-permitted', text)
      log.warn('peer-cut', text, { peer: peer.address, name: peer.name })
      peer.session.cut('not-permitted')
    }
    return count
  }

  /** Stops or goes on reading everywhere: the senders' windows close, and their spools hold what they have. */
  pause(isPaused: boolean): void {
    this.#isPaused = isPaused
    this.#pausedMs = this.#resumedMs = performance.now()
    for (const opened of this.#opened) opened.pause(isPaused)
    for (const { session } of this.#guests.keys()) {
      if (isPaused) session.pause()
      else session.resume()
    }
  }

  /** Our certificate is a new one: every Loghop comes again over it, spread over that time. Others would double what is not acknowledged. */
  moveWithin(spreadMs: number): void {
    for (const { session } of this.#guests.keys())
      if (session.speaksBatch) setTimeout(() => session.comeAgain(), Math.random() * spreadMs).unref()
  }

  /** Cuts everyone whose certificate is revoked by now. */
  cutRevoked(): void {
    const { log, metrics, refusals, identity } = this.#world
    for (const peer of this.#guests.keys()) {
      const { certificate } = peer
      const revokedAt = certificate === undefined ? undefined : identity().revoked(certificate)
      if (certificate === undefined || revokedAt === undefined) continue
      const text = `Cut the connection of ${peer.name} (${peer.address}): its certificate was revoked on ${dayOf(revokedAt)}`
      metrics.add('peersCut', 1)
      refusals.keep(peer.address, 'revoked', text)
      log.warn('peer-cut', text, { peer: peer.address, name: peer.name, serial: certificate.serialNumber })
      peer.session.cut('revoked')
    }
  }

  /** Lets nobody in any more and ends every session in order. */
  async leave(): Promise<void> {
    clearInterval(this.#timer)
    for (const opened of this.#opened) opened.close(false)
    for (const { session } of this.#guests.keys()) session.close()
    // Without acknowledgements, what is on its way is lost unless it is taken now.
    const deadline = performance.now() + LEAVE_LIMIT_MS
    const isWaiting = (): boolean => [...this.#guests.keys()].some(({ session }) => !session.isAcknowledged)
    while (isWaiting() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10))
  }

  destroy(): void {
    for (const opened of this.#opened) opened.close(true)
  }

  #make(listener: ListenerOptions, places: readonly Place[]): Opened {
    if ('tls' in listener) return this.#makeTls(listener, places)
    const rules = new AddressRules(listsOf(listener))
    const origins = new Origins(
      {
        name: listener.name ?? this.#world.name,
        aliases: [],
        speaksFor: listener.speaks_for,
        onMismatch: listener.on_mismatch,
        namesLimit: listener.limits.names,
      },
      this.#budget,
    )
    if ('udp' in listener) {
      const foreign = new ForeignMessages(this.#world, listener.limit, true)
      const udp = new UdpListener({ places, rules, limitBytes: listener.limit, origins }, foreign, this.#world, this.#world.refusals)
      return {
        listen: () => udp.listen(),
        use: () => undefined,
        change: (next) => rules.use(listsOf(next)),
        close: () => udp.close(),
        pause: (isPaused) => {
          udp.isPaused = isPaused
        },
      }
    }
    const acceptor = new Acceptor(
      {
        places,
        isLocalOnly: true,
        rules,
        connectionsLimit: this.#connectionsLimit(listener),
        addressLimit: listener.limits.per_address,
        headerLimitMs: listener.limits.handshake,
        unixMode: 'unix' in listener ? listener.mode : 0o600,
        userOf: (socket) => {
          const { uid } = peerCredentials(socket)
          return uid === -1 ? undefined : uid
        },
        userLimit: listener.limits.per_user,
      },
      {
        onConnection: (socket, address) => this.#welcomePlain(socket, address, listener, origins, () => addressRefusal(rules, address)),
        onTurnedAway: ({ check, sentence, remedy }, peer) => this.#world.refusals.add(peer, check, `${sentence}. ${remedy}`),
      },
    )
    return {
      listen: () => acceptor.listen(),
      use: () => undefined,
      change: (next) => rules.use(listsOf(next)),
      close: (destroy) => acceptor.close(destroy),
      pause: () => undefined,
    }
  }

  #makeTls(listener: TlsListenerConfiguration, places: readonly Place[]): Opened {
    const { limits } = listener
    const { refusals } = this.#world
    const rules = new AddressRules(listener)
    const tls = new TlsListener(
      {
        places,
        rules,
        connectionsLimit: this.#connectionsLimit(listener),
        addressLimit: limits.per_address,
        handshakeLimitMs: limits.handshake,
        policy: policyOf(listener),
      },
      this.#world.identity(),
      {
        onPeer: (socket, admitted, address) => {
          const refusal = (): string | undefined => {
            const now = tls.admit(socket)
            if (now.kind === 'refused') return now.sentence
            return now.name === admitted.name ? addressRefusal(rules, address) : `its name is ${now.name}`
          }
          this.#welcome(socket, admitted, address, listener, refusal)
        },
        onRefused: (refused, peer) => {
          const presented = refused.facts === undefined ? '' : `; it presented ${describeCertificate(refused.facts)}`
          const fields: Record<string, string> = refused.facts === undefined ? {} : { sha256: refused.facts.certificateSha256 }
          refusals.add(peer, refused.check, `${refused.sentence}${presented}. ${refused.remedy}`, fields)
        },
        onTurnedAway: ({ check, sentence, remedy }, peer) => refusals.add(peer, check, `${sentence}. ${remedy}`),
      },
    )
    return {
      listen: () => tls.listen(),
      use: (identity) => tls.use(identity),
      change: (next) => {
        rules.use(listsOf(next))
        tls.permit(policyOf(next as TlsListenerConfiguration))
      },
      close: (destroy) => tls.close(destroy),
      pause: () => undefined,
    }
  }

  /** The listener's own, or its share of what the process may open. */
  #connectionsLimit(listener: ListenerOptions): number {
    const share = Math.floor(this.#world.openFilesLimit / 4 / this.#options.length)
    return Math.min(listener.limits.connections, Math.max(64, share))
  }

  #welcome(
    socket: TLSSocket,
    { name, facts }: Extract<Admission, { kind: 'admitted' }>,
    address: PeerAddress,
    listener: TlsListenerConfiguration,
    refusal: Guest['refusal'],
  ): void {
    const { metrics, refusals } = this.#world
    const count = this.#byIdentity.get(name) ?? 0
    if (count >= listener.limits.per_identity) {
      const why = `${name} has ${count} connections already. Raise limits.per_identity of the listener, or look who else has that key`
      refusals.add(address.text, 'identity-connections', why, { sha256: facts.certificateSha256 })
      endRefused(socket, 'identity-connections')
      return
    }
    this.#byIdentity.set(name, count + 1)
    const rights = {
      name,
      aliases: facts.names.filter(isHostName),
      // A certificate that knows of roles says itself for whom its holder speaks.
      speaksFor: facts.role === 'relay' ? facts.speaksFor : facts.role === 'agent' ? [] : listener.speaks_for,
      onMismatch: listener.on_mismatch,
      namesLimit: listener.limits.names,
    }
    this.#admit(socket, address, facts, new Origins(rights, this.#budget), listener, refusal)
    metrics.add('peersAdmitted', 1)
    this.#comings.tell({
      level: 'info',
      event: 'peer-admitted',
      name,
      peer: address.text,
      text: `${name} has connected`,
      fields: { tls: socket.getProtocol() ?? '', sha256: facts.certificateSha256 },
    })
  }

  #welcomePlain(
    socket: Socket,
    address: PeerAddress,
    listener: PlainListenerConfiguration,
    origins: Origins,
    refusal: Guest['refusal'],
  ): void {
    const peer = this.#admit(socket, address, undefined, origins, listener, refusal)
    this.#world.metrics.add('peersAdmitted', 1)
    const text = 'A program of this host has connected'
    this.#comings.tell({ level: 'debug', event: 'peer-admitted', name: peer.name, peer: address.text, text, fields: {} })
  }

  #admit(
    socket: Socket,
    address: PeerAddress,
    facts: Peer['facts'],
    origins: Origins,
    listener: ListenerOptions,
    refusal: Guest['refusal'],
  ): Peer {
    const certificate = facts === undefined ? undefined : (socket as TLSSocket).getPeerX509Certificate()
    const terms = {
      address: address.text,
      hopAddress: hopAddressOf(address),
      facts,
      certificate,
      origins,
      foreign: this.#foreignOf(listener.limit),
      limitBytes: listener.limit,
      mayBring: (origin: string) => this.#budget.bring(origins.rights.name, origin, listener.limits.origins),
    }
    const peer = new Peer(socket, terms, this.#world, {
      onGone: (gone, reason) => this.#onGone(gone, reason),
      onTold: ({ session }) => {
        if (!this.#isPaused) return
        // Nothing could be taken: who waits for acknowledgements keeps what it has and goes elsewhere, who does not is not read.
        if (session.isAcknowledged) session.close()
        else session.pause()
      },
      onForeign: (gone, looksLike, remedy) => {
        this.#forget(gone)
        this.#world.refusals.add(
          gone.address,
          'protocol',
          `it looks like ${looksLike}, and this listener takes syslog and RELP alone. ${remedy}`,
        )
      },
    })
    this.#guests.set(peer, { peer, listener, refusal })
    return peer
  }

  #foreignOf(limitBytes: number): ForeignMessages {
    const foreign = this.#foreign.get(limitBytes) ?? new ForeignMessages(this.#world, limitBytes, false)
    this.#foreign.set(limitBytes, foreign)
    return foreign
  }

  #forget(peer: Peer): void {
    if (!this.#guests.delete(peer) || peer.facts === undefined) return
    const left = this.#byIdentity.get(peer.name)! - 1
    if (left === 0) this.#byIdentity.delete(peer.name)
    else this.#byIdentity.set(peer.name, left)
  }

  #onGone(peer: Peer, reason: string | undefined): void {
    this.#forget(peer)
    const { identity } = this.#world
    const remedy = 'See its log for what it wants, then issue this relay a certificate that fits'
    const isRefused = reason?.includes('refuses our certificate')
    const ours = isRefused ? `. Ours is ${describeCertificate(identity().facts)}. ${remedy}` : ''
    const why = reason === undefined ? '' : `: ${reason}${ours}`
    const level = reason !== undefined ? 'warn' : peer.facts === undefined ? 'debug' : 'info'
    const text = `${peer.name} has gone${why}`
    const { name, address, messages } = peer
    this.#comings.tell({ level, event: 'peer-gone', name, peer: address, text, reason, fields: { messages } })
  }

  /** Many connections that are slow enough for their deadline could hold a frame each, of up to a batch. */
  #boundHeld(nowMs: number): void {
    const holding = [...this.#guests.keys()].filter(({ session }) => session.heldBytes > 0)
    let heldBytes = holding.reduce((sum, { session }) => sum + session.heldBytes, 0)
    if (heldBytes <= HELD_LIMIT_BYTES) return
    const old = holding.filter(({ session }) => nowMs - Math.max(session.frameSinceMs ?? nowMs, this.#resumedMs) > HELD_AGE_MS)
    for (const peer of old.sort((a, b) => a.session.frameSinceMs! - b.session.frameSinceMs!)) {
      if (heldBytes <= HELD_LIMIT_BYTES) return
      heldBytes -= peer.session.heldBytes
      if (!peer.session.isAcknowledged) this.#world.loss.count('connection-cut', 1, peer.name)
      peer.session.abort(
        `too slow: the messages and batches under way hold over ${HELD_LIMIT_BYTES >> 20} MiB in all, and its own is one of the oldest`,
      )
    }
  }

  /** Who begins and does not end, and who is silent for too long. */
  #sweep(): void {
    const nowMs = performance.now()
    for (const { peer, listener } of [...this.#guests.values()]) {
      const { session } = peer
      const { frame, idle } = listener.limits
      if (this.#isPaused) {
        // A peer that gave up meanwhile is not noticed by who does not read: its descriptor would stay.
        if (session.isAcknowledged && nowMs - this.#pausedMs > PAUSE_LIMIT_MS) session.close()
        continue
      }
      const since = session.frameSinceMs
      if (since !== undefined && nowMs - Math.max(since, this.#resumedMs) > frame) {
        if (!session.isAcknowledged) this.#world.loss.count('connection-cut', 1, peer.name)
        session.abort(`too slow: a message or batch has not come to its end within ${frame / 1000} s (limits.frame)`)
      } else if (idle !== undefined && nowMs - Math.max(session.lastMs, this.#resumedMs) > idle) session.close()
    }
    if (!this.#isPaused) this.#boundHeld(nowMs)
  }
}
