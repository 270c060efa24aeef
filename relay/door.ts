// The relay's door: every listener, and everyone who has come in.

import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { LoghopError } from '../core/base/errors.ts'
import { PlaceKeys, type Prepared, prepared } from '../core/daemon/prepared.ts'
import type { RepeatGuard } from '../core/daemon/repeat-guard.ts'
import type { Identity } from '../core/identity/identity.ts'
import { clearSocketPath } from '../core/platform/datagram-socket.ts'
import { isHopAddress } from '../core/spool/hops.ts'
import type { PeerAddress } from '../core/transport/acceptor.ts'
import { type Bind, formatBind, placesOf } from '../core/transport/bind.ts'
import { dayOf, describeCertificate } from '../core/transport/certificate.ts'
import { isHostName } from '../core/transport/names.ts'
import { endRefused } from '../core/transport/tls-listener.ts'
import { Comings } from './comings.ts'
import type { DoorChanged } from './door-change.ts'
import { ForeignMessages } from './foreign-messages.ts'
import type { ListenerOptions } from './listener-options.ts'
import { type Admitted, bindsOf, type Listening, type ListeningWorld, makeListening, placeKey, rightsOf } from './listening.ts'
import { NameBudget } from './name-budget.ts'
import { Origins } from './origins.ts'
import { Peer, type PeerWorld } from './peer.ts'
import type { Refusals } from './refusals.ts'
import { surplusOf } from './surplus.ts'

const SWEEP_MS = 500
/** Who is not read may have given up; one that waits for acknowledgements does so after 30 s. */
const PAUSE_LIMIT_MS = 35_000
const LEAVE_LIMIT_MS = 2000
/** For the connections of a listener that is no more. */
const GONE_LIMIT_MS = 10_000
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

interface Guest {
  readonly peer: Peer
  readonly listening: Listening
  readonly address: PeerAddress
  readonly origins: Origins
  /** Why it may not stay, by what the listener says now. */
  readonly refusal: () => string | undefined
}

/** A local socket is this host's, as with other syslog daemons. */
function hopAddressOf({ address }: PeerAddress): string | undefined {
  const bare = address.split('%', 1)[0]!
  if (isHopAddress(bare)) return bare
  return address.startsWith('unix') ? '127.0.0.1' : undefined
}

/** A certificate that knows of roles says itself for whom its holder speaks. */
function speaksForOf(facts: NonNullable<Peer['facts']>, listener: ListenerOptions): readonly string[] {
  return facts.role === 'relay' ? facts.speaksFor : facts.role === 'agent' ? [] : listener.speaks_for
}

export class Door {
  readonly #first: readonly ListenerOptions[]
  readonly #world: DoorWorld
  readonly #listeningWorld: ListeningWorld
  readonly #comings: Comings
  readonly #budget: NameBudget
  /** Of the listeners with streams, by the limit of their messages. Kept when no listener has that limit any more: its last connections may. */
  readonly #foreign = new Map<number, ForeignMessages>()
  #listening: readonly Listening[] = []
  /** No longer in the configuration; their last connections are about to end. */
  readonly #gone = new Set<Listening>()
  readonly #guests = new Map<Peer, Guest>()
  readonly #byIdentity = new Map<string, number>()
  /** Listeners in the configuration, among which descriptors are shared. */
  #count: number
  #isPaused = false
  #resumedMs = 0
  #pausedMs = 0
  #prepared: Prepared<DoorChanged> | undefined
  #isLeft = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: readonly ListenerOptions[], world: DoorWorld) {
    this.#first = options
    this.#count = options.length
    this.#world = world
    this.#comings = new Comings(world.log, world.clock)
    this.#budget = new NameBudget(world.clock, (name) => world.spool.knowsOrigin(name))
    this.#listeningWorld = {
      ...world,
      budget: this.#budget,
      connectionsLimit: (listener) => this.#connectionsLimit(listener),
      onPeer: (listening, socket, admitted, address, refusal) => this.#welcome(listening, socket, admitted, address, refusal),
      onPlain: (listening, socket, address, origins, refusal) => this.#welcomePlain(listening, socket, address, origins, refusal),
    }
  }

  get peers(): readonly Peer[] {
    return [...this.#guests.keys()]
  }

  /** Texts of what is bound. */
  get bound(): string[] {
    return this.#listening.flatMap(({ bound }) => bound)
  }

  /** Opens every listener. @throws {LoghopError} the first that cannot be opened; none is then */
  async open(): Promise<void> {
    const { commit } = await this.prepare(this.#first)
    commit()
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS)
    this.#timer.unref()
  }

  /**
   * Binds what is new in these options and changes nothing else: listeners at places that are bound already are kept, with their connections.
   * What is bound takes connections from now on.
   * @throws {LoghopError} the first that cannot be bound; nothing is open then that was not before
   */
  async prepare(options: readonly ListenerOptions[]): Promise<Prepared<DoorChanged>> {
    const before = new Map(this.#listening.map((listening) => [listening.key, listening]))
    const made: Listening[] = []
    const wanted: Array<{ readonly listening: Listening; readonly listener: ListenerOptions }> = []
    const close = (): void => {
      for (const listening of made) listening.close(true)
    }
    const keys = new PlaceKeys()
    try {
      for (const listener of options)
        for (const bind of bindsOf(listener)) {
          const key = keys.next(placeKey(listener, bind))
          const held = before.get(key)
          before.delete(key)
          wanted.push({ listening: held ?? (await this.#bind(key, bind, listener, made)), listener })
        }
    } catch (error) {
      close()
      throw error
    }
    this.#prepared = prepared<DoorChanged>({
      isOver: () => this.#isLeft,
      nothing: { opened: [], closed: 0, cut: 0 },
      undo: close,
      commit: () => {
        this.#count = options.length
        return this.#change(wanted, made, [...before.values()])
      },
    })
    return this.#prepared
  }

  use(identity: Identity): void {
    for (const listening of this.#listening) listening.use(identity)
  }

  #change(
    wanted: ReadonlyArray<{ readonly listening: Listening; readonly listener: ListenerOptions }>,
    made: readonly Listening[],
    gone: readonly Listening[],
  ): DoorChanged {
    this.#listening = wanted.map(({ listening }) => listening)
    for (const { listening, listener } of wanted) if (!made.includes(listening)) listening.change(listener)
    for (const listening of made) listening.pause(this.#isPaused)
    for (const listening of gone) this.#leave(listening)
    for (const { peer, listening, origins } of this.#guests.values()) {
      const { rights } = origins
      // A certificate with a role says itself for whom its holder speaks; without TLS the listener has done it.
      if (peer.facts !== undefined) origins.use(rightsOf(listening.listener, rights, speaksForOf(peer.facts, listening.listener)))
    }
    const cut = this.#endGone() + this.#endRefused() + this.#endSurplus()
    return { opened: made.flatMap(({ bound }) => bound), closed: gone.length, cut }
  }

  /** What it holds of connections ends in order, or else when its time is up. */
  #leave(listening: Listening): void {
    this.#gone.add(listening)
    void listening.leave()
    const limit = setTimeout(() => {
      listening.close(true)
      this.#gone.delete(listening)
    }, GONE_LIMIT_MS)
    limit.unref()
  }

  /** Of listeners that are no more, in order: what was taken is acknowledged first. */
  #endGone(): number {
    const guests = [...this.#guests.values()].filter(({ listening }) => this.#gone.has(listening))
    for (const { peer } of guests) peer.session.retire()
    return guests.length
  }

  /** Who would not be let in now. */
  #endRefused(): number {
    let count = 0
    for (const guest of this.#guests.values()) {
      const why = this.#gone.has(guest.listening) ? undefined : guest.refusal()
      if (why === undefined) continue
      count++
      this.#tellCut(guest, 'not-permitted', why)
      guest.peer.session.cut('not-permitted')
    }
    return count
  }

  /** Those who came last of what is over a limit, in order. */
  #endSurplus(): number {
    const staying = [...this.#guests.values()].filter(({ listening, refusal }) => !this.#gone.has(listening) && refusal() === undefined)
    const counted = staying.map((guest) => {
      const { listening, address, peer } = guest
      const { key, listener } = listening
      const identity = peer.facts === undefined ? undefined : peer.name
      return { guest, key, limits: listener.limits, connectionsLimit: this.#connectionsLimit(listener), address: address.address, identity }
    })
    const surplus = surplusOf(counted)
    for (const { connection, check, why } of surplus) {
      this.#tellCut(connection.guest, check, why)
      connection.guest.peer.session.retire()
    }
    return surplus.length
  }

  #tellCut({ peer }: Guest, check: string, why: string): void {
    const { log, metrics, refusals } = this.#world
    const text = `Cut the connection of ${peer.name} (${peer.address}): by the configuration of now, ${why}`
    metrics.add('peersCut', 1)
    refusals.keep(peer.address, check, text)
    log.warn('peer-cut', text, { peer: peer.address, name: peer.name })
  }

  /** Stops or goes on reading everywhere: the senders' windows close, and their spools hold what they have. */
  pause(isPaused: boolean): void {
    this.#isPaused = isPaused
    this.#pausedMs = this.#resumedMs = performance.now()
    for (const listening of this.#listening) listening.pause(isPaused)
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
    this.#isLeft = true
    this.#prepared?.abort()
    for (const listening of this.#listening) listening.close(false)
    for (const { session } of this.#guests.keys()) session.close()
    // Without acknowledgements, what is on its way is lost unless it is taken now.
    const deadline = performance.now() + LEAVE_LIMIT_MS
    const isWaiting = (): boolean => [...this.#guests.keys()].some(({ session }) => !session.isAcknowledged)
    while (isWaiting() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10))
    for (const foreign of this.#foreign.values()) foreign.flush()
  }

  destroy(): void {
    this.#prepared?.abort()
    for (const listening of [...this.#listening, ...this.#gone]) listening.close(true)
  }

  async #bind(key: string, bind: Bind, listener: ListenerOptions, made: Listening[]): Promise<Listening> {
    try {
      const places = await placesOf(bind, this.#world.activated, !('tls' in listener))
      for (const place of places) if (place.kind === 'path') clearSocketPath(place.path)
      const listening = makeListening(key, bind, listener, places, this.#listeningWorld)
      made.push(listening)
      await listening.listen()
      return listening
    } catch (error) {
      if (error instanceof LoghopError) throw error
      const own = this.#holderOf(bind)
      throw new LoghopError(
        'LISTEN',
        `Cannot listen on ${formatBind(bind)}: ${(error as Error).message}`,
        own !== undefined
          ? `This relay has that port as ${own.key}: take another port, or restart it, for one port cannot go from one kind or address to another`
          : bind.kind === 'path'
            ? 'Make its directory, and run the relay as a user that may write there'
            : 'Stop what has that port ("ss -ltnp" names it), or choose an address and port of this host',
        { cause: error },
      )
    }
  }

  /** What of ours listens on the same port. */
  #holderOf(bind: Bind): Listening | undefined {
    return this.#listening.find((held) => bind.kind === 'address' && held.bind.kind === 'address' && held.bind.port === bind.port)
  }

  /** The listener's own, or its share of what the process may open. */
  #connectionsLimit(listener: ListenerOptions): number {
    const share = Math.floor(this.#world.openFilesLimit / 4 / this.#count)
    return Math.min(listener.limits.connections, Math.max(64, share))
  }

  #welcome(listening: Listening, socket: TLSSocket, { name, facts }: Admitted, address: PeerAddress, refusal: Guest['refusal']): void {
    const { listener } = listening
    if (this.#gone.has(listening)) {
      socket.destroy()
      return
    }
    const { metrics, refusals } = this.#world
    const count = this.#byIdentity.get(name) ?? 0
    if (count >= listener.limits.per_identity) {
      const why = `${name} has ${count} connections already. Raise limits.per_identity of the listener, or look who else has that key`
      refusals.add(address.text, 'identity-connections', why, { sha256: facts.certificateSha256 })
      endRefused(socket, 'identity-connections')
      return
    }
    this.#byIdentity.set(name, count + 1)
    const rights = rightsOf(listener, { name, aliases: facts.names.filter(isHostName) }, speaksForOf(facts, listener))
    this.#admit(listening, socket, address, facts, new Origins(rights, this.#budget), refusal)
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

  #welcomePlain(listening: Listening, socket: Socket, address: PeerAddress, origins: Origins, refusal: Guest['refusal']): void {
    if (this.#gone.has(listening)) {
      socket.destroy()
      return
    }
    const peer = this.#admit(listening, socket, address, undefined, origins, refusal)
    this.#world.metrics.add('peersAdmitted', 1)
    const text = 'A program of this host has connected'
    this.#comings.tell({ level: 'debug', event: 'peer-admitted', name: peer.name, peer: address.text, text, fields: {} })
  }

  #admit(
    listening: Listening,
    socket: Socket,
    address: PeerAddress,
    facts: Peer['facts'],
    origins: Origins,
    refusal: Guest['refusal'],
  ): Peer {
    const { limit } = listening.listener
    const certificate = facts === undefined ? undefined : (socket as TLSSocket).getPeerX509Certificate()
    const terms = {
      address: address.text,
      hopAddress: hopAddressOf(address),
      facts,
      certificate,
      origins,
      foreign: this.#foreignOf(limit),
      limitBytes: limit,
      mayBring: (origin: string) => this.#budget.bring(origins.rights.name, origin, listening.listener.limits.origins),
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
    this.#guests.set(peer, { peer, listening, address, origins, refusal })
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
    for (const { peer, listening } of [...this.#guests.values()]) {
      const { session } = peer
      const { frame, idle } = listening.listener.limits
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
