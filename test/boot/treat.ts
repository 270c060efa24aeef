import {
  AGENT,
  AUTHORITY,
  allOnce,
  HERE,
  mainPid,
  must,
  pause,
  RATE,
  RELAY,
  readyMs,
  restarted,
  run,
  shown,
  step,
  underLoad,
  until,
} from './in-guest.ts'

/** What is done to the services while messages come. */
const TREATMENTS: ReadonlyArray<readonly [string, string, () => Promise<void>]> = [
  [
    's2',
    'systemctl restart of the agent, three times',
    async () => {
      for (let round = 0; round < 3; round++) await restarted(AGENT)
    },
  ],
  [
    's3',
    'systemctl restart of the relay, three times',
    async () => {
      for (let round = 0; round < 3; round++) await restarted(RELAY)
    },
  ],
  [
    's4',
    'systemctl reload of both, five times',
    async () => {
      for (let round = 0; round < 5; round++) {
        run('systemctl', 'reload', AGENT, RELAY)
        await pause(1000)
      }
    },
  ],
  [
    's5',
    'kill -9 of the relay, twice',
    async () => {
      for (let round = 0; round < 2; round++) {
        const pid = mainPid(RELAY)
        process.kill(Number(pid), 'SIGKILL')
        await until('the relay', () => !['0', pid].includes(mainPid(RELAY)) && shown(RELAY, 'ActiveState') === 'active')
        await pause(2000)
      }
    },
  ],
  [
    's6',
    'upgrade of the package',
    async () => {
      const before = [AGENT, RELAY, AUTHORITY].map(mainPid)
      run('dpkg', '-i', `${HERE}/newer.deb`)
      const after = [AGENT, RELAY, AUTHORITY].map(mainPid)
      must(
        after.every((pid, index) => pid !== before[index] && pid !== '0'),
        'the package has not started them anew',
      )
      await pause(3000)
    },
  ],
]

/** Restarts, reloads, kills and an upgrade, each under a load of its own. */
export async function treat(): Promise<void> {
  for (const [name, what, work] of TREATMENTS)
    await step(`${what}, while a sender offers the socket ${RATE} messages/s: each message once`, async () => {
      const beginMs = performance.now()
      const { sent, retried } = await underLoad(name, RATE, async () => {
        await pause(2000)
        await work()
        await pause(1000)
      })
      const seconds = (performance.now() - beginMs) / 1000
      await allOnce(name, sent)
      return `${sent} sent in ${seconds.toFixed(0)} s (${(sent / seconds).toFixed(0)}/s), ${retried} found nobody listening, ${sent} filed`
    })

  await step('start to READY=1 with the compiled form at hand', async () => {
    const times: string[] = []
    for (const unit of [AGENT, RELAY]) {
      run('systemctl', 'restart', unit)
      times.push(`${unit.replace('.service', '')} ${readyMs(unit).toFixed(0)} ms`)
    }
    return `${times.join(', ')} (in the guest, several times slower than the machine below it)`
  })

  await step('no unit has failed', () => {
    const failed = run('systemctl', '--failed', '--no-legend', '--plain').trim()
    must(!/loghop|syslog/.test(failed), failed)
    return failed === '' ? 'none' : `none of ours; ${failed.split(' ')[0]}`
  })
}
