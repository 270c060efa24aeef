import type { Log } from '../base/log.ts'
import { StateMachine } from '../base/state.ts'
import { ServiceNotifier, type Watched } from './service-notifier.ts'

/** A daemon that has started. */
export interface Running extends Watched {
  /** Ends in order; the signal says when to leave the rest in the spool. */
  stop(deadline: AbortSignal): Promise<void>
  /** SIGHUP: identity and configuration are read again, files that were moved away opened anew. */
  reload(): void | Promise<void>
  /** SIGUSR1: files that were moved away are opened anew. */
  reopen?(): void
  /** How long a stop may take, by the configuration of now; that of the start without it. */
  readonly stopTimeoutMs?: number
}

/** @param progress to be called, as often as one likes, by what may take long while it gets on */
export type Start = (progress: (what: string) => void) => Promise<Running>

/** What a stop may take beyond the time that deliveries are given; the service manager has been told of more. */
const STOP_MARGIN_MS = 20_000

const NEXT = { running: ['stopping'], stopping: ['stopped'], stopped: [] } as const

/**
 * Starts, and runs until SIGTERM or SIGINT, then stops in order for at most `stopTimeoutMs`; a second signal stops at once. The spool keeps what is left
 * either way. A signal that comes during the start waits for its end, so that nothing half made is left behind. The service manager is told of each step.
 * Resolves when all is stopped; rejects with what `start` or the stop has thrown.
 * @param marginMs a stop that takes that much longer hangs, with a disk that no sync comes back from for instance, and is ended at once
 */
export function untilStopped(start: Start, stopTimeoutMs: number, log: Log, marginMs = STOP_MARGIN_MS): Promise<void> {
  const state = new StateMachine<keyof typeof NEXT>('daemon', NEXT, 'running')
  const service = new ServiceNotifier(process.env, process.pid, log)
  let now: Running | undefined
  return new Promise((resolve, reject) => {
    const onSignal = (signal: NodeJS.Signals): void => {
      if (!state.is('running')) {
        log.warn('stopped-at-once', `Stopped at once by a second ${signal}; the spool keeps what is left`, {})
        // A thread may be blocked in a system call, so nothing gentler is sure to end.
        process.kill(process.pid, 'SIGKILL')
        return
      }
      state.to('stopping')
      log.info('stopping', `Stopping on ${signal}`, {})
      const limitMs = now?.stopTimeoutMs ?? stopTimeoutMs
      service.stopping(limitMs)
      const deadline = AbortSignal.timeout(limitMs)
      const stopped = started.then((running) => {
        // Also where the stop has failed and something that is still open keeps the process.
        setTimeout(() => {
          const limit = `${(limitMs + marginMs) / 1000} s`
          log.error(
            'stop-unfinished',
            `Ended at once: it had not stopped within ${limit}; the spool keeps what is left. Look at its disk`,
            {},
          )
          process.kill(process.pid, 'SIGKILL')
        }, limitMs + marginMs).unref()
        return running.stop(deadline)
      })
      stopped.then(() => {
        state.to('stopped')
        process.off('SIGTERM', onSignal)
        process.off('SIGINT', onSignal)
        process.off('SIGHUP', onHangup)
        process.off('SIGUSR1', onReopen)
        resolve()
      }, reject)
    }
    const onHangup = (): void => {
      started.then(async (running) => {
        // What is closed by then must not be opened anew.
        if (!state.is('running')) return
        service.reloading()
        await running.reload()
        service.reloaded()
      }, reject)
    }
    // Also where there is nothing to open: without a listener the signal would open a debugger's port.
    const onReopen = (): void => {
      started.then((running) => {
        if (state.is('running')) running.reopen?.()
      }, reject)
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
    process.on('SIGHUP', onHangup)
    process.on('SIGUSR1', onReopen)
    const started = start((what) => service.progress(what))
    started.then((running) => {
      now = running
      if (state.is('running')) service.ready(running)
    }, reject)
  })
}
