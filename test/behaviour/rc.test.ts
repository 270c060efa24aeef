// The scripts for FreeBSD's rc(8), run by a POSIX shell with a stand-in for rc.subr that records what it is asked. They have not run on FreeBSD.

import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { agentOptions } from '../../agent/options.ts'
import { loadConfiguration } from '../../core/base/configuration.ts'
import { initAuthority } from '../../pki/init.ts'
import { temporaryDirectory } from '../support/chain.ts'
import { ENTRY } from '../support/daemon.ts'

const FOLDER = fileURLToPath(new URL('../../rc.d', import.meta.url))
const SUBR = fileURLToPath(new URL('../support/rc.subr', import.meta.url))
const SHELL = fs.existsSync('/usr/bin/dash') ? 'dash' : 'sh'
const GOOD = {
  agent: { identity: '/nowhere', spool: { directory: '/nowhere/spool' }, relays: ['relay.example.com:6514'] },
  relay: {
    identity: '/nowhere',
    spool: { directory: '/nowhere/spool' },
    listeners: [{ tls: '127.0.0.1:6514', clients: { names: ['*.example.com'] } }],
    destinations: [{ discard: true }],
  },
} as const

type Program = 'agent' | 'relay' | 'pki'

class Script {
  readonly directory: string
  readonly #program: Program
  readonly #settings: Record<string, string>

  constructor(t: ExecutionContext, program: Program) {
    this.directory = temporaryDirectory(t)
    this.#program = program
    this.#settings = {
      syslogd_enable: 'NO',
      [`loghop_${program}_enable`]: 'YES',
      [`loghop_${program}_config`]: this.place('config.yaml'),
      [`loghop_${program}_node`]: process.execPath,
      [`loghop_${program}_program`]: ENTRY,
      [`loghop_${program}_log`]: this.place('own.log'),
      [`loghop_${program}_runas`]: 'root',
      loghop_pki_directory: this.place('ca'),
    }
    const text = fs.readFileSync(path.join(FOLDER, `loghop_${program}`), 'utf8')
    fs.writeFileSync(this.place('script'), text.replace('. /etc/rc.subr', `. ${SUBR}`))
    if (program !== 'pki') this.configure(GOOD[program])
  }

  place(name: string): string {
    return path.join(this.directory, name)
  }

  set(name: string, value: string): void {
    this.#settings[name] = value
  }

  configure(options: object): void {
    fs.writeFileSync(this.place('config.yaml'), JSON.stringify(options))
  }

  /** Runs the script. @returns its exit code, what it printed, and what it asked of rc.subr */
  run(command: string): { code: number | null; printed: string; asked: string[] } {
    const settings = Object.entries(this.#settings).map(([name, value]) => `${name}="${value}"`)
    fs.writeFileSync(this.place('rc.conf'), `${settings.join('\n')}\n`)
    fs.writeFileSync(this.place('record'), '')
    const env = { ...process.env, RC_CONF: this.place('rc.conf'), RECORD: this.place('record'), RUNNING: this.place('running') }
    const { status, stdout, stderr } = spawnSync(SHELL, [this.place('script'), command], { env, encoding: 'utf8' })
    const asked = fs.readFileSync(this.place('record'), 'utf8').trimEnd().split('\n')
    return { code: status, printed: `${stdout}${stderr}`, asked }
  }

  get name(): string {
    return `loghop_${this.#program}`
  }
}

for (const program of ['agent', 'relay'] as const) {
  test(`loghop_${program} is off unless rc.conf says otherwise`, (t) => {
    const script = new Script(t, program)
    script.set(`loghop_${program}_enable`, '')
    const { code, asked } = script.run('start')
    t.is(code, 0)
    t.deepEqual(asked, [
      `load_rc_config loghop_${program}`,
      'run_rc_command start',
      `rcvar loghop_${program}_enable`,
      `disabled loghop_${program}_enable`,
    ])
  })

  test(`loghop_${program} starts under daemon(8), which starts it anew, after its configuration has been read`, (t) => {
    const script = new Script(t, program)
    const { code, printed, asked } = script.run('start')
    t.is(code, 0, printed)
    const runas = program === 'relay' ? ' -u root' : ''
    t.is(
      asked.at(-1),
      `exec /usr/sbin/daemon -f -H -r -R 5 -P /var/run/${script.name}.supervisor.pid -p /var/run/${script.name}.pid -t ${script.name}${runas} -o ${script.place('own.log')} ` +
        ` ${process.execPath} --max-semi-space-size=1 ${ENTRY} ${program} run --config ${script.place('config.yaml')}`,
    )
    t.regex(printed, /^good {2}configuration: /)
  })

  test(`loghop_${program} is not started with a wrong configuration, and configtest says what is wrong`, (t) => {
    const script = new Script(t, program)
    script.configure({ ...GOOD[program], relais: [] })
    const { code, printed, asked } = script.run('start')
    t.is(code, 1)
    t.is(asked.at(-1), 'precmd failed')
    t.regex(printed, /relais/)
    const tested = script.run('configtest')
    t.is(tested.code, 78)
    t.regex(tested.printed, /relais/)
    script.configure(GOOD[program])
    t.is(script.run('configtest').code, 0)
  })

  test(`loghop_${program} wants its configuration, and stops and reports through the supervisor's pid file`, (t) => {
    const script = new Script(t, program)
    const pidfile = `/var/run/${script.name}.supervisor.pid`
    t.deepEqual(script.run('stop').asked.at(-1), `kill TERM ${pidfile} /usr/sbin/daemon`)
    const { code, printed, asked } = script.run('status')
    t.is(code, 1)
    t.is(printed, `${script.name} is not running.\n`)
    t.is(asked.at(-1), `check_pidfile ${pidfile} /usr/sbin/daemon`)
    // Here it runs, rc.subr says, and so the program itself is asked.
    fs.writeFileSync(script.place('running'), '4711')
    t.regex(script.run('status').printed, /Cannot ask for the status of \/nowhere\/spool/)
    fs.rmSync(script.place('config.yaml'))
    t.is(script.run('start').asked.at(-1), `missing file ${script.place('config.yaml')}`)
    t.is(script.run('frobnicate').asked.at(-1), 'unknown command frobnicate')
  })
}

test('loghop_agent says when syslogd wants the same sockets', (t) => {
  const script = new Script(t, 'agent')
  script.set('syslogd_enable', 'YES')
  t.regex(script.run('start').asked.find((line) => line.startsWith('warn ')) ?? '', /syslogd_enable is YES: /)
  script.set('syslogd_enable', 'NO')
  t.deepEqual(
    script.run('start').asked.filter((line) => line.startsWith('warn ')),
    [],
  )
})

test('loghop_pki serves an authority that is there, and passes SIGHUP on', async (t) => {
  const script = new Script(t, 'pki')
  t.is(script.run('start').asked.at(-1), `missing directory ${script.place('ca')}`)
  await initAuthority({ directory: script.place('ca'), name: 'Test Logs' }, Date.now())
  script.set('loghop_pki_options', '--listen 127.0.0.1:8443')
  const { code, printed, asked } = script.run('start')
  t.is(code, 0, printed)
  t.true(asked.at(-1)!.endsWith(` ${ENTRY} pki serve --directory ${script.place('ca')} --listen 127.0.0.1:8443`))
  t.true(asked.at(-1)!.includes(' -u root '))
})

test('the sample for FreeBSD is an agent.yaml that is taken', (t) => {
  const options = loadConfiguration(path.join(FOLDER, 'agent.yaml.sample'), agentOptions)
  t.is(options.sources?.length, 4)
})
