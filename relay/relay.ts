import { systemClock } from '../core/base/clock.ts'
import type { Log } from '../core/base/log.ts'
import { Metrics } from '../core/base/metrics.ts'
import { COMMON_RELOADED, takeOver } from '../core/daemon/common-reload.ts'
import type { Running } from '../core/daemon/lifecycle.ts'
import { openFilesLimit } from '../core/daemon/open-files-limit.ts'
import { openSpool } from '../core/daemon/open-spool.ts'
import type { Prepared } from '../core/daemon/prepared.ts'
import { differences, Reload } from '../core/daemon/reload.ts'
import { RepeatGuard } from '../core/daemon/repeat-guard.ts'
import { statusSentence } from '../core/daemon/status-sentence.ts'
import { type StatusDocument, serveStatus } from '../core/daemon/status-socket.ts'
import { DestinationSet, replacedText } from '../core/destinations/destination-set.ts'
import { SharedRecords } from '../core/destinations/shared-records.ts'
import { IdentityKeeper } from '../core/identity/keeper.ts'
import { Intake } from '../core/pipeline/intake.ts'
import { Loss } from '../core/pipeline/loss.ts'
import { ActivatedSockets } from '../core/platform/activated-sockets.ts'
import { wantedOf } from './destinations.ts'
import { Door } from './door.ts'
import { changedText, type DoorChanged } from './door-change.ts'
import type { RelayOptions } from './options.ts'
import { Passthroughs } from './passthroughs.ts'
import { Refusals } from './refusals.ts'

// Kept free below the limit: what has been delivered by the time reading stops, and the records under way.
const RESERVE_BYTES = 8 << 20

/** What a reload can change; the rest needs a restart. */
const RELOADED = [...COMMON_RELOADED, 'destinations', 'rules', 'listeners', 'passthrough']

/**
 * Starts the relay: spool, destinations, then the listeners.
 * @param read the configuration again
 * @throws {LoghopError} what cannot be opened; all that was opened before is closed again
 */
export async function startRelay(
  options: RelayOptions,
  log: Log,
  _onFailure: (error: Error) => void,
  read: () => RelayOptions,
  progress?: (what: string) => void,
): Promise<Running> {
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
        door.use(keeper.identity)
        if (!isRenewed) return
        door.moveWithin(spreadMs)
        destinations.moveWithin(spreadMs)
      },
      onRevoked: () => {
        door.cutRevoked()
        destinations.recheck()
      },
    },
    log,
    metrics,
    clock,
  )
  const { name } = keeper.identity
  const place = { directory: options.spool.directory, limitBytes: options.spool.limit }
  const { spool, health, close } = openSpool(place, log, metrics, clock, progress)
  const limit = openFilesLimit()
  const delivery = { spool, records: new SharedRecords(name, log, metrics), identity: () => keeper.identity, log, metrics, clock }
  const destinations = new DestinationSet(wantedOf(options, delivery), spool, log)
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
  const loss = new Loss(name, log, clock)
  const intake = new Intake(spool, name, loss, metrics, options.spool.compress)
  loss.recordWith((text) => intake.storeLoss(text, 'loghop-relay', name, clock))
  const refusals = new Refusals(log, metrics, guard)
  const activated = new ActivatedSockets(process.env, process.pid)
  const door = new Door(options.listeners, {
    spool,
    name,
    log,
    metrics,
    clock,
    guard,
    loss,
    refusals,
    onStoreFailure,
    identity: () => keeper.identity,
    activated: (name) => activated.take(name),
    openFilesLimit: limit,
  })
  const passthroughs = new Passthroughs(log, guard)
  let stopTimeoutMs = options.stop_timeout
  const reload = new Reload(
    options,
    {
      read,
      fixed: (before, after) => differences(before, after, RELOADED),
      apply: async (after) => {
        const listeners = await door.prepare(after.listeners)
        let passing: Prepared<void> | undefined
        let changed: DoorChanged | undefined
        try {
          passing = await passthroughs.prepare(after.passthrough)
          const replaced = await destinations.replace(wantedOf(after, delivery), () => {
            changed = listeners.commit()
            passing!.commit()
            takeOver(after, { spool, intake, log, keeper })
            stopTimeoutMs = after.stop_timeout
          })
          return `${replacedText(replaced)}, ${changedText(changed!)}`
        } finally {
          // Where the rest cannot be changed, nothing is; after the change they do nothing.
          listeners.abort()
          passing?.abort()
        }
      },
    },
    log,
  )
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
    keeper.stop()
    clearInterval(roomTimer)
    passthroughs.close()
    await door.leave()
    loss.stop()
    try {
      await spool.commit()
      await destinations.stop(deadline)
      await close()
    } finally {
      // Whatever failed: what stays open here would keep the process.
      destinations.close()
      door.destroy()
    }
  }
  const status = (): StatusDocument => ({
    program: 'relay',
    name: keeper.identity.name,
    pid: process.pid,
    uptime_seconds: Math.round((clock.monotonicMs() - startedMs) / 1000),
    ...keeper.status(),
    problems: keeper.problems().map((problem) => `${problem.sentence}. ${problem.remedy}`),
    listeners: door.bound,
    passthrough: passthroughs.bound,
    paused: isPaused,
    spool: {
      directory: options.spool.directory,
      used_bytes: spool.usedBytes,
      limit_bytes: spool.limitBytes,
      streams: spool.streamsCount,
    },
    destinations: destinations.all.map((destination) => destination.status()),
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
  })
  let stopStatus: () => void
  try {
    await door.open()
    const passing = await passthroughs.prepare(options.passthrough)
    passing.commit()
    stopStatus = await serveStatus(options.spool.directory, status, () => reload.request())
  } catch (error) {
    await stopAll(AbortSignal.abort())
    throw error
  }
  destinations.start()
  keeper.start()
  log.info('started', `Relay ${name} listens on ${door.bound.join(', ')}`, {
    pid: process.pid,
    passthrough: passthroughs.bound.join(',') || undefined,
  })
  return {
    describe: () => statusSentence(status(), health.isFull),
    healthy: () => health.check(),
    reload: async () => {
      keeper.reload()
      destinations.reopen()
      await reload.request()
    },
    reopen: () => destinations.reopen(),
    get stopTimeoutMs() {
      return stopTimeoutMs
    },
    stop: async (deadline) => {
      stopStatus()
      await stopAll(deadline)
      log.info('stopped', 'Relay stopped', { stored: metrics.get('messagesStored'), filed: metrics.get('messagesFiled') })
    },
  }
}
