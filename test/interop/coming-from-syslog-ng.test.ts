// The recipe of docs/coming-from-syslog-ng.md and its twin, each with the same messages: syslog-ng and stunnel on both sides, as Debian brings them, and Loghop.

import * as fs from 'node:fs'
import * as path from 'node:path'
import test from 'ava'
import { FACILITIES } from '../../core/syslog/priority.ts'
import { Chain, linesOf } from '../support/chain.ts'
import { eventually } from '../support/eventually.ts'
import { fixedPort } from '../support/fixed-port.ts'
import { sendDatagrams } from '../support/local-sender.ts'
import { type Started, start } from '../support/programs.ts'
import { findSyslogNg } from '../support/syslog-ng.ts'
import { Machines, TRANSLATIONS } from '../support/translated.ts'

const syslogNg = findSyslogNg()
// run.ts names what it needs where it cannot be had.
const run = syslogNg === undefined ? test.serial.skip : test.serial

// Everything but kern, which no program says, and emerg, which would be shown to who is logged in here.
const PRIS = Array.from({ length: 192 }, (_, pri) => pri).filter((pri) => pri >= 8 && (pri & 7) !== 0)
const FROM_FILE = ['one line', 'another line']

/** `program: text` of each line, sorted; what the programs say of themselves is left out. */
function saidIn(...files: string[]): string[] {
  const lines = files.flatMap(linesOf)
  const said = lines.flatMap(
    (line) => /^[A-Z][a-z]{2} [ \d]\d [\d:]{8} \S+ (?!syslog-ng|loghop)(\S+?)(?:\[\d+\])?: (.*)$/.exec(line)?.slice(1).join(': ') ?? [],
  )
  return said.sort()
}

function filesNamed(folder: string, name: RegExp): string[] {
  if (!fs.existsSync(folder)) return []
  const found = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => name.test(file))
  return found.map((file) => path.join(folder, file))
}

run('the recipe and its twin file the same messages in the same places', async (t) => {
  const chain = await Chain.make(t)
  const world = new Machines(t, chain)
  const [agentYaml, relayYaml] = TRANSLATIONS.blocks('yaml')
  const relay = await world.start('relay', relayYaml!)
  world.ports['loghost.example.com:6514'] = Number(/127\.0\.0\.1:(\d+)/.exec(await relay.event('started'))![1])
  await world.start('agent', agentYaml!)

  const [inClient, between, inServer] = [await fixedPort(), await fixedPort(), await fixedPort()]
  const running: Started[] = []
  for (const [machine, role] of [
    ['server', 'relay'],
    ['client', 'agent'],
  ] as const) {
    for (const directory of ['etc/stunnel', 'var/log/app', 'dev']) fs.mkdirSync(world.place(machine, directory), { recursive: true })
    const name = machine === 'server' ? 'loghost.example.com' : 'web01.example.com'
    const identity = await chain.issue(`${machine}-identity`, { name, role })
    for (const file of ['cert.pem', 'key.pem', 'ca.pem'])
      fs.copyFileSync(path.join(identity, file), world.place(machine, `etc/stunnel/${file}`))
    const inside = String(machine === 'server' ? inServer : inClient)
    const here = (text: string): string =>
      text
        .replace(/\/(?:etc|var|dev)\//g, (folder) => world.place(machine, folder))
        .replace('loghost.example.com:6514', `127.0.0.1:${between}`)
        .replace('accept = 6514', `accept = 127.0.0.1:${between}`)
        .replaceAll('5140', inside)
    const conf = (program: string): string => {
      const file = world.place(machine, `${program}.conf`)
      const first = program === 'stunnel' ? 'foreground = yes\npid =\n' : ''
      fs.writeFileSync(file, first + here(TRANSLATIONS.blocks(`${program} ${machine}`)[0]!))
      return file
    }
    running.push(start(t, 'stunnel', [conf('stunnel')]))
    const state = ['--persist-file', 'persist', '--pidfile', 'pid', '--control', 'ctl'].map((word) =>
      word.startsWith('-') ? word : world.place(machine, word),
    )
    const args = ['-F', '-f', conf('syslog-ng'), '--no-caps', ...state, ...syslogNg!.moduleArguments]
    running.push(start(t, syslogNg!.program, args, syslogNg!.environment))
  }
  const said = (): string => running.map((one) => one.said).join('\n')
  await eventually('syslog-ng to listen', () => fs.existsSync(world.place('client', 'dev/log')), said)

  const messages = PRIS.map((pri) => `<${pri}>tag[7]: number ${pri}`)
  const noise = ['<14>chatter: noise', '<38>chatter: noise of auth']
  const fromFile = FROM_FILE.map((text) => `app: ${text}`)
  for (const machine of ['client', 'agent']) {
    t.is(sendDatagrams(world.place(machine, 'dev/log'), [...messages, ...noise]), undefined)
    fs.appendFileSync(world.place(machine, 'var/log/app/app.log'), `${FROM_FILE.join('\n')}\n`)
  }
  const dated = (machine: string) => filesNamed(world.place(machine, 'var/log/hosts'), /\/\d{4}\/\d\d\/\d\d\/messages$/)
  const named = (name: string) => (machine: string) => [world.place(machine, `var/log/${name}`)]
  const those = (isMeant: (facility: string, severity: number) => boolean): string[] =>
    PRIS.filter((pri) => isMeant(FACILITIES[pri >>> 3]!, pri & 7)).map((pri) => `tag: number ${pri}`)
  const ofAuth = those((facility) => /^auth/.test(facility))
  const all = [...those(() => true), ...noise.map((message) => message.slice(4)), ...fromFile]
  for (const [machines, files, expected] of [
    [['server', 'relay'], dated, all],
    [['server', 'relay'], named('hosts/auth.log'), [...ofAuth, 'chatter: noise of auth']],
    [['client', 'agent'], named('auth.log'), ofAuth],
    [['client', 'agent'], named('messages'), those((facility, severity) => severity < 7 && !/^(?:auth|mail|cron)/.test(facility))],
  ] as const)
    for (const machine of machines) {
      await eventually(`${expected.length} lines at ${machine}`, () => saidIn(...files(machine)).length >= expected.length, said)
      t.deepEqual(saidIn(...files(machine)), [...expected].sort(), `${machine}: ${files(machine)[0]}`)
    }
})
