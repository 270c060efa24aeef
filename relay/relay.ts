import { systemClock } from '../core/base/clock.ts'
import type { Log } from '../core/base/log.ts'
import { Metrics } from '../core/base/metrics.ts'
import type { Running } from '../core/daemon/lifecycle.ts'
import { openFilesLimit } from '../core/daemon/open-files-limit.ts'
import { openSpool } from '../core/daemon/open-spool.ts'
import { RepeatGuard } from '../core/daemon/repeat-guard.ts'
import { serveStatus } from '../core/daemon/status-socket.ts'
import { loadIdentity } from '../core/identity/identity.ts'
import { identityProblems } from '../core/identity/problems.ts'
import { Intake } from '../core/pipeline/intake.ts'
import { Loss } from '../core/pipeline/loss.ts'
import { ActivatedSockets } from '../core/platform/activated-sockets.ts'
import { describeCertificate } from '../core/transport/certificate.ts'
import { makeDestination } from './destinations.ts'
import { Door } from './door.ts'
import type { RelayOptions } from './options.ts'
import { Refusals } from './refusals.ts'

// Kept free below the limit: what has been delivered by the time reading stops, and the records under way.
const RESERVE_BYTES = 8 << 20

/**
 * Starts the relay: spool, destinations, then the listeners.
 * @throws {LoghopError} what cannot be opened; all that was opened before is closed again
 */
export async function startRelay(options: RelayOptions, log: Log): Promise<Running> {
  const metrics = new Metrics()
  const clock = systemClock
  let identity = loadIdentity(options.identity)
  const tellProblems = (): void => {
    for (const problem of identityProblems(identity, Date.now()))
      log.error(`identity-${problem.kind}`, `${problem.sentence}. ${problem.remedy}`, {})
  }
  tellProblems()
  const { spool, close } = openSpool({ directory: options.spool.directory, limitBytes: options.spool.limit }, log, metrics, clock)
  const limit = openFilesLimit()
  const files = options.destinations.filter((destination) => 'files' in destination).length
  const destinations = options.destinations.map((destination) =>
    makeDestination(destination, {
      spool,
      identity: () => identity,
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
  const loss = new Loss(identity.name, log, clock)
  const intake = new Intake(spool, identity.name, loss, metrics, options.spool.compress)
  loss.recordWith((text) => intake.storeLoss(text, 'loghop-relay', identity.name, clock))
  const refusals = new Refusals(log, metrics, guard)
  const activated = new ActivatedSockets(process.env, process.pid)
  const door = new Door(options.listeners, {
    spool,
    name: identity.name,
    log,
    metrics,
    clock,
    guard,
    loss,
    refusals,
    onStoreFailure,
    identity: () => identity,
    activated: (name) => activated.take(name),
    openFilesLimit: limit,
  })
  const startedMs = clock.monotonicMs()
  let isPaused = false

  /** Reading stops while the spool has no room: the senders' TCP windows close, and their spools hold what they have. */
  const checkRoom = (): void => {
    const shouldPause = !spool.hasRoom(RESERVE_BYTES)
    if (shouldPause === isPaused) return
    isPaused = shouldPause
    door.pause(isPaused)
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
    clearInterval(roomTimer)
    await door.leave()
    loss.stop()
    await spool.commit()
    for (const destination of destinations) await destination.stop(deadline)
    await close()
    for (const destination of destinations) destination.close()
    door.destroy()
  }
  let bound: string[]
  let stopStatus: () => void
  try {
    bound = await door.open()
    stopStatus = await serveStatus(options.spool.directory, () => ({
      program: 'relay',
      name: identity.name,
      pid: process.pid,
      uptime_seconds: Math.round((clock.monotonicMs() - startedMs) / 1000),
      certificate_valid_to: identity.facts.validTo.toISOString(),
      problems: identityProblems(identity, Date.now()).map((problem) => `${problem.sentence}. ${problem.remedy}`),
      listeners: bound,
      paused: isPaused,
      spool: {
        directory: options.spool.directory,
        used_bytes: spool.usedBytes,
        limit_bytes: spool.limitBytes,
        streams: spool.streamsCount,
      },
      destinations: destinations.map((destination) => destination.status()),
      peers: door.peers.slice(0, 1000).map((peer) => ({
        name: peer.name,
        address: peer.address,
        speaks: peer.session.spoken,
        messages: peer.messages,
        since: new Date(peer.connectedUs / 1000).toISOString(),
      })),
      refused: refusals.last,
      loss: loss.totals(),
      metrics: metrics.snapshot(),
    }))
  } catch (error) {
    await stopAll(AbortSignal.abort())
    throw error
  }
  for (const destination of destinations) destination.start()
  log.info('started', `Relay ${identity.name} listens on ${bound.join(', ')}`, { pid: process.pid })
  return {
    reload: () => {
      try {
        identity = loadIdentity(options.identity)
        door.use(identity)
        tellProblems()
        log.info('identity-loaded', `Identity read again: ${describeCertificate(identity.facts)}`, {})
      } catch (error) {
        log.error('identity-kept', `${(error as Error).message}. The identity in use is kept`, {})
      }
    },
    stop: async (deadline) => {
      stopStatus()
      await stopAll(deadline)
      log.info('stopped', 'Relay stopped', { stored: metrics.get('messagesStored'), filed: metrics.get('messagesFiled') })
    },
  }
}
