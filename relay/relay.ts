import type { X509Certificate } from 'node:crypto'
import { type Address, formatAddress } from '../core/base/address.ts'
import { systemClock } from '../core/base/clock.ts'
import { LoghopError } from '../core/base/errors.ts'
import type { Log } from '../core/base/log.ts'
import { Metrics } from '../core/base/metrics.ts'
import type { Running } from '../core/daemon/lifecycle.ts'
import { openFilesLimit } from '../core/daemon/open-files-limit.ts'
import { openSpool } from '../core/daemon/open-spool.ts'
import { RepeatGuard } from '../core/daemon/repeat-guard.ts'
import { serveStatus } from '../core/daemon/status-socket.ts'
import { IdentityKeeper } from '../core/identity/keeper.ts'
import { dayOf, describeCertificate } from '../core/transport/certificate.ts'
import { RelpServerSession } from '../core/transport/relp-server.ts'
import { TlsListener } from '../core/transport/tls-listener.ts'
import { makeDestination } from './destinations.ts'
import type { RelayOptions } from './options.ts'
import { Passthrough } from './passthrough.ts'
import { Peer, type PeerWorld } from './peer.ts'

// Kept free below the limit: what has been delivered by the time reading stops, and the records under way.
const RESERVE_BYTES = 8 << 20
const REFUSALS_KEPT = 100
/** A connection is not kept longer than this without reading it; senders give up after 30 s without an acknowledgement. */
const PAUSE_LIMIT_MS = 35_000

interface Connected {
  readonly session: RelpServerSession
  readonly certificate: X509Certificate
}

interface Refusal {
  readonly time: string
  readonly peer: string
  readonly check: string
  readonly text: string
}

/** Listens, and says where. @throws {LoghopError} LISTEN */
async function listenOn(address: Address, listen: () => Promise<number>): Promise<string> {
  try {
    return formatAddress({ host: address.host, port: await listen() })
  } catch (error) {
    throw new LoghopError(
      'LISTEN',
      `Cannot listen on ${formatAddress(address)}: ${(error as Error).message}`,
      'Stop what has that port ("ss -ltnp" names it), or choose an address and port of this host',
      { cause: error },
    )
  }
}

/**
 * Starts the relay: spool, destinations, then the listeners.
 * @throws {LoghopError} what cannot be opened; all that was opened before is closed again
 */
export async function startRelay(options: RelayOptions, log: Log): Promise<Running> {
  const metrics = new Metrics()
  const clock = systemClock
  const keeper = new IdentityKeeper(
    {
      directory: options.identity,
      authority: options.authority,
      renew: options.renew,
      listsEveryMs: options.revocation_interval,
    },
    {
      onIdentity: (_identity, isRenewed, spreadMs) => {
        for (const listener of listeners) listener.use(keeper.identity)
        if (isRenewed) moveWithin(spreadMs)
      },
      onRevoked: () => cutRevoked(),
    },
    log,
    metrics,
    clock,
  )
  const { spool, close } = openSpool({ directory: options.spool.directory, limitBytes: options.spool.limit }, log, metrics, clock)
  const limit = openFilesLimit()
  const files = options.destinations.filter((destination) => 'files' in destination).length
  const destinations = options.destinations.map((destination) =>
    makeDestination(destination, {
      spool,
      identity: () => keeper.identity,
      log,
      metrics,
      clock,
      openFilesLimit: Math.max(16, Math.floor(limit / 2 / Math.max(1, files))),
    }),
  )
  const guard = new RepeatGuard(clock)
  const onStoreFailure = (errno: string): void => {
    if (guard.repeated(`store ${errno}`) === undefined) return
    const remedy = errno === 'ENOSPC' ? 'Free space on its file system' : 'Look at its disk'
    log.error(
      'store-failed',
      `Cannot write to the spool ${options.spool.directory}: ${errno}. Nothing is acknowledged; the senders keep it and come again. ${remedy}`,
      { errno },
    )
  }
  const world: PeerWorld = { spool, name: keeper.identity.name, log, metrics, clock, onStoreFailure }
  const peers = new Map<Peer, Connected>()
  const refusals: Refusal[] = []
  const startedMs = clock.monotonicMs()
  let isPaused = false
  let pausedMs = 0

  const refuse = (peer: string, check: string, text: string, fields: Record<string, string>): void => {
    metrics.add('peersRefused', 1)
    refusals.push({ time: new Date().toISOString(), peer, check, text })
    if (refusals.length > REFUSALS_KEPT) refusals.shift()
    const address = peer.slice(0, peer.lastIndexOf(':'))
    const repeated = guard.repeated(`${address} ${check}`)
    if (repeated !== undefined) log.warn('peer-refused', text, { peer, check, ...fields, repeated: repeated || undefined })
  }
  const listeners = options.listeners.map(
    (listener) =>
      new TlsListener(
        {
          host: listener.tls.host,
          port: listener.tls.port,
          policy: listener.clients,
          connectionsLimit: Math.max(64, Math.floor(limit / 4 / options.listeners.length)),
        },
        keeper.identity,
        {
          onPeer: (socket, admitted, address) => {
            const peer = new Peer(admitted.name, address, admitted.facts, listener.limit, world, (gone, reason) => {
              peers.delete(gone)
              const remedy = 'See its log for what it wants, then issue this relay a certificate that fits'
              const isRefused = reason?.includes('refuses our certificate')
              const ours = isRefused ? `. Ours is ${describeCertificate(keeper.identity.facts)}. ${remedy}` : ''
              const why = reason === undefined ? '' : `: ${reason}${ours}`
              log[reason === undefined ? 'info' : 'warn']('peer-gone', `${gone.name} has gone${why}`, {
                peer: gone.address,
                name: gone.name,
                messages: gone.messages,
              })
            })
            metrics.add('peersAdmitted', 1)
            const session = new RelpServerSession(socket, peer, new Map())
            peers.set(peer, { session, certificate: socket.getPeerX509Certificate()! })
            // Nothing could be taken; the sender keeps what it has and comes again.
            if (isPaused) session.close()
            log.info('peer-admitted', `${admitted.name} has connected`, {
              peer: address,
              name: admitted.name,
              tls: socket.getProtocol() ?? '',
              sha256: admitted.facts.certificateSha256,
            })
          },
          onRefused: (refused, peer) => {
            const presented = refused.facts === undefined ? '' : `; it presented ${describeCertificate(refused.facts)}`
            refuse(
              peer,
              refused.check,
              `Refused ${peer}: ${refused.sentence}${presented}. ${refused.remedy}`,
              refused.facts === undefined ? {} : { sha256: refused.facts.certificateSha256 },
            )
          },
          onHandshakeFailed: (error, peer) => {
            refuse(
              peer,
              'handshake',
              `TLS handshake with ${peer} failed: ${error.message}. It needs TLS 1.2 or newer and a client certificate`,
              {},
            )
          },
        },
      ),
  )
  /** Our certificate is a new one: every Loghop comes again over it, and we go again to where we forward. */
  const moveWithin = (spreadMs: number): void => {
    for (const { session } of peers.values()) {
      // Others would send again what is not acknowledged, and double it.
      if (session.speaksBatch) setTimeout(() => session.comeAgain(), Math.random() * spreadMs).unref()
    }
    for (const destination of destinations) destination.moveWithin?.(spreadMs)
  }
  const cutRevoked = (): void => {
    for (const [peer, { session, certificate }] of peers) {
      const revokedAt = keeper.identity.revoked(certificate)
      if (revokedAt === undefined) continue
      const text = `Cut the connection of ${peer.name} (${peer.address}): its certificate was revoked on ${dayOf(revokedAt)}`
      metrics.add('peersCut', 1)
      refusals.push({ time: new Date().toISOString(), peer: peer.address, check: 'revoked', text })
      if (refusals.length > REFUSALS_KEPT) refusals.shift()
      log.warn('peer-cut', text, { peer: peer.address, name: peer.name, serial: certificate.serialNumber })
      session.cut('revoked')
    }
    for (const destination of destinations) destination.recheck?.()
  }
  const passthroughs = options.passthrough.map(({ listen, to }) => ({ listen, passthrough: new Passthrough(to, log, guard) }))
  /** Reading stops while the spool has no room: the senders' TCP windows close, and their spools hold what they have. */
  const checkRoom = (): void => {
    const shouldPause = !spool.hasRoom(RESERVE_BYTES)
    // A peer that gave up meanwhile is not noticed by who does not read: its descriptor would stay.
    if (isPaused && shouldPause && clock.monotonicMs() - pausedMs > PAUSE_LIMIT_MS)
      for (const { session } of peers.values()) session.close()
    if (shouldPause === isPaused) return
    isPaused = shouldPause
    pausedMs = clock.monotonicMs()
    for (const { session } of peers.values()) {
      if (isPaused) session.pause()
      else session.resume()
    }
    if (isPaused)
      log.error('paused', `The spool ${options.spool.directory} is at its limit: no more is read until the destinations have caught up`, {
        used_bytes: spool.usedBytes,
      })
    else log.info('resumed', 'There is room in the spool again', { used_bytes: spool.usedBytes })
  }
  spool.onAppended(checkRoom)
  const roomTimer = setInterval(checkRoom, 500)
  roomTimer.unref()

  const stopAll = async (deadline: AbortSignal): Promise<void> => {
    keeper.stop()
    clearInterval(roomTimer)
    for (const listener of listeners) listener.close(false)
    for (const { passthrough } of passthroughs) passthrough.close()
    for (const { session } of peers.values()) session.close()
    await spool.commit()
    for (const destination of destinations) await destination.stop(deadline)
    await close()
    for (const destination of destinations) destination.close()
    for (const listener of listeners) listener.close(true)
  }
  const bound: string[] = []
  const passed: string[] = []
  let stopStatus: () => void
  try {
    for (const [index, listener] of listeners.entries()) {
      const { tls } = options.listeners[index]!
      bound.push(await listenOn(tls, () => listener.listen()))
    }
    for (const { listen, passthrough } of passthroughs) passed.push(await listenOn(listen, () => passthrough.listen(listen)))
    stopStatus = await serveStatus(options.spool.directory, () => ({
      program: 'relay',
      name: keeper.identity.name,
      pid: process.pid,
      uptime_seconds: Math.round((clock.monotonicMs() - startedMs) / 1000),
      ...keeper.status(),
      problems: keeper.problems().map((problem) => `${problem.sentence}. ${problem.remedy}`),
      listeners: bound,
      passthrough: passed,
      paused: isPaused,
      spool: {
        directory: options.spool.directory,
        used_bytes: spool.usedBytes,
        limit_bytes: spool.limitBytes,
        streams: spool.streamsCount,
      },
      destinations: destinations.map((destination) => destination.status()),
      peers: [...peers.keys()].slice(0, 1000).map((peer) => ({
        name: peer.name,
        address: peer.address,
        messages: peer.messages,
        since: new Date(peer.connectedUs / 1000).toISOString(),
      })),
      refused: refusals,
      metrics: metrics.snapshot(),
    }))
  } catch (error) {
    await stopAll(AbortSignal.abort())
    throw error
  }
  for (const destination of destinations) destination.start()
  keeper.start()
  log.info('started', `Relay ${keeper.identity.name} listens on ${bound.join(', ')}`, {
    pid: process.pid,
    passthrough: passed.length > 0 ? passed.join(',') : undefined,
  })
  return {
    reload: () => keeper.reload(),
    stop: async (deadline) => {
      stopStatus()
      await stopAll(deadline)
      log.info('stopped', 'Relay stopped', { stored: metrics.get('messagesStored'), filed: metrics.get('messagesFiled') })
    },
  }
}
