import * as os from 'node:os'
import { systemClock } from '../core/base/clock.ts'
import type { Log } from '../core/base/log.ts'
import { Metrics } from '../core/base/metrics.ts'
import type { Running } from '../core/daemon/lifecycle.ts'
import { openSpool } from '../core/daemon/open-spool.ts'
import { statusSentence } from '../core/daemon/status-sentence.ts'
import { type StatusDocument, serveStatus } from '../core/daemon/status-socket.ts'
import { ForwardDestination } from '../core/destinations/forward.ts'
import { IdentityKeeper } from '../core/identity/keeper.ts'
import type { PayloadReceiver } from '../core/pipeline/batch-builder.ts'
import { Intake } from '../core/pipeline/intake.ts'
import { Loss } from '../core/pipeline/loss.ts'
import { describeCertificate } from '../core/transport/certificate.ts'
import type { AgentOptions } from './options.ts'
import { Sources } from './sources.ts'

/** HOSTNAME of this host's messages. */
export function hostnameOf(options: AgentOptions): string {
  return options.hostname ?? (os.hostname().replace(/[^\x21-\x7e]/g, '-') || '-')
}

/**
 * Starts the agent: spool, way to the relay, then the sources, so that nothing is taken in before there is a place for it.
 * @throws {LoghopError} what cannot be opened; all that was opened before is closed again
 */
export async function startAgent(
  options: AgentOptions,
  log: Log,
  onFailure: (error: Error) => void,
  progress?: (what: string) => void,
): Promise<Running> {
  const metrics = new Metrics()
  const clock = systemClock
  const keeping = {
    directory: options.identity,
    authority: options.authority,
    renew: options.renew,
    listsEveryMs: options.revocation_interval,
  }
  const keeper = new IdentityKeeper(
    keeping,
    {
      onIdentity: (_identity, isRenewed, spreadMs) => {
        if (isRenewed) uplink.moveWithin(spreadMs)
      },
      onRevoked: () => uplink.recheck(),
    },
    log,
    metrics,
    clock,
  )
  const { name } = keeper.identity
  const place = { directory: options.spool.directory, limitBytes: options.spool.limit }
  const { spool, health, close } = openSpool(place, log, metrics, clock, progress)
  const loss = new Loss(name, log, clock)
  const uplink = new ForwardDestination(
    {
      relays: options.relays.map(({ address, pin }) => ({ ...address, pin })),
      balance: options.balance,
      failbackMs: options.fail_back,
      identity: () => keeper.identity,
      describeIdentity: () => describeCertificate(keeper.identity.facts),
    },
    spool,
    // What is sent on but not yet synced is safe: FORMAT.md, Streams and sequences.
    spool.attach('uplink', false),
    log,
    metrics,
    clock,
  )
  const intake = new Intake(spool, name, loss, metrics, options.spool.compress)
  const receiver: PayloadReceiver = (bytes, start, end, count, receivedUs) => intake.store(bytes, start, end, count, receivedUs)
  const hostname = hostnameOf(options)
  loss.recordWith((text) => intake.storeLoss(text, 'loghop-agent', hostname, clock))
  const world = { spoolDirectory: options.spool.directory, spool, intake, receiver, hostname, loss, metrics, log, clock, onFailure }
  const sources = new Sources(options.sources, world)
  const startedMs = clock.monotonicMs()
  const status = (): StatusDocument => ({
    program: 'agent',
    name,
    pid: process.pid,
    uptime_seconds: Math.round((clock.monotonicMs() - startedMs) / 1000),
    ...keeper.status(),
    problems: keeper.problems().map((problem) => `${problem.sentence}. ${problem.remedy}`),
    sources: sources.names,
    spool: { directory: options.spool.directory, used_bytes: spool.usedBytes, limit_bytes: spool.limitBytes },
    destinations: [uplink.status()],
    loss: loss.totals(),
    metrics: metrics.snapshot(),
  })
  let stopStatus: () => void
  try {
    await sources.start()
    stopStatus = await serveStatus(options.spool.directory, status)
  } catch (error) {
    await sources.stop()
    loss.stop()
    await close()
    throw error
  }
  uplink.start()
  keeper.start()
  log.info('started', `Agent ${name} takes messages from ${sources.names.join(', ')}`, { pid: process.pid })
  return {
    describe: () => statusSentence(status(), health.isFull),
    healthy: () => health.check(),
    reload: () => keeper.reload(),
    stop: async (deadline) => {
      keeper.stop()
      stopStatus()
      await sources.stop()
      loss.stop()
      await uplink.stop(deadline)
      await close()
      log.info('stopped', 'Agent stopped', {
        stored: metrics.get('messagesStored'),
        forwarded: metrics.get('messagesForwarded'),
        lost: loss.total,
      })
    },
  }
}
