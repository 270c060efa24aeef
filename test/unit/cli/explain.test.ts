// What the command tells of a line is what the daemon would do with it.

import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { AGENT_NAME, Chain, temporaryDirectory } from '../../support/chain.ts'
import { ENTRY } from '../../support/daemon.ts'
import { LIMIT_MS } from '../../support/eventually.ts'

const AGENT = `identity: /nowhere/identity
hostname: web01.example.com
spool: { directory: /nowhere/spool }
sources: [ internal ]
relays: [ "relay.example.com:6514" ]
rules:
  - { name: errors, select: "*.err", to: /dev/console }
  - { program: sshd, when: { match: Failed }, to: [ "/var/log/$HOST/$YEAR/$PROGRAM-$UNIQID", root ], stop: true }
  - { select: "auth,authpriv.*", to: /var/log/auth.log, format: bsd }
`
const RELAY = `identity: /nowhere/identity
spool: { directory: /nowhere/spool }
listeners: [ { tcp: "127.0.0.1:0" } ]
destinations:
  - { files: "/var/log/loghop/$HOST/$R_YEAR/messages" }
  - { files: /var/log/mail, select: "mail.*", when: { program: "postgres,postfix" } }
  - { forward: [ "central.example.com:6514" ] }
rules:
  - { host: "*.example.com", to: "/var/log/apps/$PROGRAM" }
`

function run(t: ExecutionContext, config: string, args: string[], input = ''): { status: number | null; stdout: string; stderr: string } {
  const file = path.join(temporaryDirectory(t), 'c.yaml')
  fs.writeFileSync(file, config)
  const found = spawnSync(process.execPath, [ENTRY, 'explain', '--config', file, ...args], { input, encoding: 'utf8', timeout: LIMIT_MS })
  return { ...found, stderr: found.stderr.replaceAll(file, 'c.yaml') }
}

test('an agent: each rule with its reason, the file with its macros, and the relays', (t) => {
  const { status, stdout } = run(t, AGENT, ['-'], '<86>sshd[12]: Failed password\n<3>kernel: oops\n\n')
  t.is(status, 0)
  t.is(
    stdout,
    `authpriv.info from web01.example.com, program sshd
  errors does not match: *.err does not choose authpriv.info
  rule 2 matches: *.* chooses authpriv.info, and program sshd and text has "Failed" -> file /var/log/web01.example.com/${new Date().getFullYear()}/sshd-$UNIQID, users root
  rule 3 not reached: rule 2 has stop: true
goes to file /var/log/web01.example.com/${new Date().getFullYear()}/sshd-$UNIQID; users root; the relays (relay.example.com:6514), as everything does

kern.err from web01.example.com, program kernel
  errors matches: *.err chooses kern.err -> console /dev/console
  rule 2 does not match: not so: program sshd
  rule 3 does not match: auth,authpriv.* does not choose kern.err
goes to console /dev/console; the relays (relay.example.com:6514), as everything does
`,
  )
})

test('with a source address, the rules and paths that ask for it are told', (t) => {
  const config = RELAY.replace(
    'select: "mail.*", when: { program: "postgres,postfix" }',
    'when: { source_address: [ 192.0.2.0/24 ] }',
  ).replace('$R_YEAR', '$SOURCEIP-$PEER')
  const from = (...flags: string[]) => run(t, config, ['<14>app: x', ...flags]).stdout
  t.regex(from(), /not so: source address 192\.0\.2\.0\/24/)
  t.regex(from(), /\/-\/\$SOURCEIP-\$PEER\/messages/)
  const known = from('--source-address', '::ffff:192.0.2.7')
  t.regex(known, /and source address 192\.0\.2\.0\/24 -> file \/var\/log\/mail/)
  t.regex(known, /\/-\/192\.0\.2\.7-\$PEER\/messages/)
  t.regex(run(t, config, ['x', '--source-address', 'web01']).stderr, /--source-address web01 is no IP address/)
})

test('an agent goes by the name in its certificate, which is what $HOST stands for', async (t) => {
  const chain = await Chain.make(t)
  const config = AGENT.replace('/nowhere/identity', String(chain.agentOptions['identity'])).replace('web01.', 'other.')
  const { stdout } = run(t, config, ['<38>sshd: Failed'])
  t.true(stdout.startsWith(`auth.info from ${AGENT_NAME}, program sshd\n`), stdout)
  t.regex(stdout, new RegExp(`goes to file /var/log/${AGENT_NAME}/`))
})

test('a relay: destinations and rules, as JSON, for a line of a file that says no priority', (t) => {
  const line = '2025-01-02T03:04:05.123456+00:00 db01.example.com postgres[7]: a ../line'
  const { status, stdout } = run(t, RELAY, ['--json', '--priority', 'mail.err', line])
  t.is(status, 0)
  const year = new Date().getFullYear()
  t.deepEqual(JSON.parse(stdout), {
    message: 'mail.err from db01.example.com, program postgres',
    rules: [
      {
        name: 'destinations[0]',
        verdict: 'matches',
        reason: '*.* chooses mail.err',
        to: [`file /var/log/loghop/db01.example.com/${year}/messages`],
      },
      {
        name: 'destinations[1]',
        verdict: 'matches',
        reason: 'mail.* chooses mail.err, and program postgres,postfix',
        to: ['file /var/log/mail'],
      },
      { name: 'destinations[2]', verdict: 'matches', reason: '*.* chooses mail.err', to: ['forward central.example.com:6514'] },
      { name: 'rule 1', verdict: 'matches', reason: '*.* chooses mail.err, and host *.example.com', to: ['file /var/log/apps/postgres'] },
    ],
    goes_to: [
      `file /var/log/loghop/db01.example.com/${year}/messages`,
      'file /var/log/mail',
      'forward central.example.com:6514',
      'file /var/log/apps/postgres',
    ],
  })
  // What it chooses besides its selector counts too.
  t.regex(run(t, RELAY, ['<19>cyrus: a line']).stdout, /destinations\[1\] does not match: not so: program /)
  const other = run(t, RELAY, ['--host', 'elsewhere.example.net', 'text alone'])
  t.regex(other.stdout, /^user\.notice from elsewhere\.example\.net\n {2}\(the line says no facility and level/)
  t.regex(other.stdout, /rule 1 does not match: not so: host \*\.example\.com/)
})

test('a mark, which no other line is', (t) => {
  const marks = AGENT.replace('"*.err", to: /dev/console', '"mark.*", to: /var/log/marks').replace('auth,authpriv.*', 'syslog.*')
  t.regex(
    run(t, marks, ['--priority', 'mark.info', 'MARK']).stdout,
    /^mark\.info from web01\.example\.com\n.*errors matches: mark\.\* chooses mark\.info.*\n.*\n.*rule 3 does not match: syslog\.\* does not choose mark\.info\n/,
  )
  t.regex(run(t, marks, ['--priority', 'syslog.info', '--', '-- MARK --']).stdout, /^syslog\.info from .*\n.*errors does not match/)
  t.is(run(t, marks, ['--priority', 'mark.info', 'x']).status, 64)
})

for (const [what, config, args, status, said] of [
  [
    'a host that is none',
    AGENT,
    ['--host', 'not a host!', 'x'],
    64,
    /--host "not a host!" is no host name, .*\n {2}Write a name such as web01/,
  ],
  ['a host apart that is none', RELAY, ['--host', '_unverified/..', 'x'], 64, /--host "_unverified\/\.\." is no host name/],
  ['a PRI that is none', AGENT, ['<999>x'], 64, /begins with <999>, which is no priority\n {2}Write 8 times the facility plus the level/],
  [
    'a priority that is none',
    AGENT,
    ['--priority', 'mail.loud', 'x'],
    64,
    /--priority mail\.loud is no facility and level\n {2}Write it as mail\.err/,
  ],
  ['a faulty configuration', AGENT.replace('"*.err"', '"*.loud"'), ['x'], 78, /c\.yaml:7:\d+: rules\[0\]\.select: .*loud/],
  ['no line', AGENT, [], 64, /missing required argument 'line'/],
] as const)
  test(`${what} is refused`, (t) => {
    const found = run(t, config, [...args])
    t.is(found.status, status, found.stderr)
    t.regex(found.stderr, said)
    t.is(found.stdout, '')
  })
