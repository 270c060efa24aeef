// After another boot: all of it comes back, and goes when it is no longer wanted.

import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { AGENT, AUTHORITY, FILED, isFiled, must, RELAY, run, shown, step, until } from './in-guest.ts'

/** What was enabled runs by itself; the package is purged. */
export async function secondBoot(): Promise<void> {
  await step('after another boot all of it runs by itself, and the agent has /dev/log', async () => {
    for (const unit of [AGENT, RELAY, AUTHORITY]) await until(unit, () => shown(unit, 'ActiveState') === 'active')
    must(/unix/.test(shown(AGENT, 'StatusText')), shown(AGENT, 'StatusText'))
    run('logger', '-t', 'trial', 'hello from the second boot')
    await until('the line', () => isFiled(/hello from the second boot/))
    return shown(AGENT, 'StatusText')
  })

  await step('the package is purged: nothing of it runs, the logs stay', () => {
    const { stdout, stderr } = spawnSync('dpkg', ['-P', 'loghop'], { encoding: 'utf8' })
    must(/nobody has \/dev\/log now/.test(stderr), `${stdout}${stderr}`)
    must(run('find', '/proc', '-maxdepth', '1', '(', '-user', 'loghop', '-o', '-user', 'loghop-pki', ')') === '', 'a process is left')
    for (const unit of [AGENT, RELAY, 'loghop-agent.socket']) must(shown(unit, 'ActiveState') === 'inactive', `${unit} is not stopped`)
    must(fs.existsSync(FILED) && !fs.existsSync('/var/lib/loghop') && !fs.existsSync('/etc/loghop'), 'the wrong directories are left')
    return 'kept /var/log/loghop and /var/lib/loghop-ca'
  })

  await step('the journal gets /dev/log back, as the removal has said', async () => {
    run('systemctl', 'unmask', 'systemd-journald-dev-log.socket')
    run('systemctl', 'restart', 'systemd-journald-dev-log.socket', 'systemd-journald.service')
    run('logger', '-t', 'trial', 'hello to the journal')
    await until('the line', () => run('journalctl', '-b', '-o', 'cat', '-t', 'trial').includes('hello to the journal'))
    return shown('systemd-journald-dev-log.socket', 'ActiveState')
  })
}
