// Loghop, set up in the guest as the manual says.

import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import {
  AGENT,
  AUTHORITY,
  allOnce,
  FILED,
  filed,
  isFiled,
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

function asAuthority(...args: readonly string[]): string {
  return run('runuser', '-u', 'loghop-pki', '--', 'loghop', 'pki', ...args)
}

function tokenFor(name: string, role: string): string {
  const printed = asAuthority('invite', name, '--role', role, '--directory', '/var/lib/loghop-ca', '--server', 'ca.example.com:8443')
  return /\S{60,}/.exec(printed)![0]
}

/** From the first boot of Debian to an agent whose messages are filed. */
export async function setUp(): Promise<void> {
  await step('Debian boots with systemd as process 1', () => {
    must(fs.readlinkSync('/proc/1/exe').endsWith('/systemd'), 'process 1 is something else')
    const version = run('systemctl', '--version').split('\n')[0]!
    return `${version}, Debian ${fs.readFileSync('/etc/debian_version', 'utf8').trim()}`
  })

  await step('without a configuration no unit starts, and none fails', () => {
    for (const unit of [AGENT, RELAY, AUTHORITY]) {
      run('systemctl', 'start', unit)
      must(shown(unit, 'ActiveState') === 'inactive' && shown(unit, 'ConditionResult') === 'no', `${unit}: ${shown(unit, 'ActiveState')}`)
    }
    return 'inactive, condition not met'
  })

  await step('the authority is made and serves', () => {
    asAuthority('init', '--directory', '/var/lib/loghop-ca', '--name', 'Example Logs')
    fs.writeFileSync('/etc/default/loghop-pki', 'LOGHOP_PKI_OPTIONS=--listen 0.0.0.0:8443 --name ca.example.com\n')
    run('systemctl', 'enable', '--now', AUTHORITY)
    return `READY=1 after ${readyMs(AUTHORITY).toFixed(0)} ms; ${shown(AUTHORITY, 'StatusText')}`
  })

  await step('relay and agent join with tokens', () => {
    run('loghop', 'relay', 'join', tokenFor('logs.example.com', 'relay'))
    run('install', '-d', '-o', 'loghop', '-g', 'loghop', '-m', '700', '/var/lib/loghop/agent-identity')
    const token = tokenFor('web01.example.com', 'agent')
    run('loghop', 'agent', 'join', token, '--directory', '/var/lib/loghop/agent-identity', '--relay', 'logs.example.com:6514')
    const replace = (file: string, from: string, to: string): void => {
      const text = fs.readFileSync(file, 'utf8')
      must(text.includes(from), `${file} has no ${from}`)
      fs.writeFileSync(file, text.replace(from, to))
    }
    replace('/etc/loghop/agent.yaml', '/var/lib/loghop/spool', '/var/lib/loghop/agent-spool')
    replace('/etc/loghop/relay.yaml', '"0.0.0.0:6514"', '"systemd:tls"')
    return 'configurations written by "join"'
  })

  await step('systemd passes the relay its port, and the relay is ready', () => {
    run('systemctl', 'enable', '--now', 'loghop-relay.socket', RELAY)
    return `READY=1 after ${readyMs(RELAY).toFixed(0)} ms; ${shown(RELAY, 'StatusText')}`
  })

  await step('the agent is ready, with the journal as its source', () => {
    run('systemctl', 'enable', '--now', AGENT)
    must(/journal/.test(shown(AGENT, 'StatusText')), shown(AGENT, 'StatusText'))
    return `READY=1 after ${readyMs(AGENT).toFixed(0)} ms; ${shown(AGENT, 'StatusText')}`
  })

  await step('what a program logs is in the relay’s file', async () => {
    run('logger', '-t', 'trial', 'hello from the guest')
    await until('the line', () => isFiled(/hello from the guest/))
    return fs
      .readFileSync(FILED, 'utf8')
      .split('\n')
      .find((line) => line.includes('hello from the guest'))!
  })

  await step('the sandbox is there: no root, filter of system calls, capabilities, read-only /usr', () => {
    const found: string[] = []
    for (const unit of [AGENT, RELAY, AUTHORITY]) {
      const status = fs.readFileSync(`/proc/${mainPid(unit)}/status`, 'utf8')
      const value = (key: string): string => new RegExp(`^${key}:\\s+(\\S+)`, 'm').exec(status)![1]!
      const mounts = fs.readFileSync(`/proc/${mainPid(unit)}/mountinfo`, 'utf8')
      const isReadOnly = / \/ ro,/.test(mounts) || / \/usr ro,/.test(mounts)
      must(value('Seccomp') === '2' && value('NoNewPrivs') === '1' && value('Uid') !== '0' && isReadOnly, `${unit}: ${status}`)
      const exposure = /exposure level for \S+: ([\d.]+)/.exec(
        spawnSync('systemd-analyze', ['security', unit, '--no-pager'], { encoding: 'utf8' }).stdout,
      )
      found.push(`${unit.replace('.service', '')} CapBnd=${value('CapBnd').replace(/^0+(?=.)/, '')} exposure ${exposure?.[1] ?? '?'}`)
    }
    return found.join('; ')
  })

  await step('agent and relay that hang (SIGSTOP) are started anew by the watchdog, and bring what came meanwhile', async () => {
    const before = [AGENT, RELAY].map(mainPid)
    for (const pid of before) process.kill(Number(pid), 'SIGSTOP')
    const beginMs = performance.now()
    run('logger', '-t', 'trial', 'logged while both hang')
    await until('new processes', () =>
      [AGENT, RELAY].every((unit, index) => !['0', before[index]].includes(mainPid(unit)) && shown(unit, 'ActiveState') === 'active'),
    )
    const seconds = (performance.now() - beginMs) / 1000
    const said = [AGENT, RELAY].map(
      (unit) => run('journalctl', '-b', '-o', 'cat', '-u', unit, '--grep', 'Watchdog timeout').trim().split('\n')[0],
    )
    must(
      [AGENT, RELAY].every((unit) => shown(unit, 'NRestarts') === '1'),
      'NRestarts is not 1',
    )
    await until('the line', () => isFiled(/logged while both hang/))
    must(filed('logged while both hang') === 1, 'it stands there twice')
    return `active again after ${seconds.toFixed(0)} s: ${said[0]}`
  })

  await step(`systemctl restart under ${RATE / 10} messages/s by way of the journal: each message once`, async () => {
    const { sent } = await underLoad('s1', RATE / 10, async () => {
      await pause(2000)
      await restarted(AGENT)
      await restarted(RELAY)
    })
    await allOnce('s1', sent)
    return `${sent} sent, ${sent} filed`
  })

  await step('the agent takes /dev/log over by loghop-agent.socket', async () => {
    run('systemctl', 'mask', '--now', 'systemd-journald-dev-log.socket')
    run('systemctl', 'stop', AGENT)
    run('systemctl', 'enable', '--now', 'loghop-agent.socket')
    run('systemctl', 'start', AGENT)
    must(/unix/.test(shown(AGENT, 'StatusText')), shown(AGENT, 'StatusText'))
    run('logger', '-t', 'trial', 'hello by the socket')
    await until('the line', () => isFiled(/hello by the socket/))
    must(filed('hello by the socket') === 1, 'it stands there twice')
    return shown(AGENT, 'StatusText')
  })
}
