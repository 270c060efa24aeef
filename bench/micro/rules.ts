// node bench/micro/rules.ts [rounds]: what routing a message through 20 rules costs, by what they ask.

import { compileRule, RuleList, type RuleWords } from '../../core/pipeline/rules.ts'
import { messageContext } from '../../core/syslog/message-fields.ts'
import { measure } from './measure.ts'

const MESSAGES = 200_000
const RULES = 20
const TEXT = 'Accepted publickey for deploy from 192.0.2.44 port 51122 ssh2: ED25519 SHA256:0123456789abcdefghijklmnopqrstuvwxyz'
const SELECTORS = ['*.err;kern.debug;auth.notice', '*.info;mail.none', 'auth,authpriv.*', 'cron.*', 'mail.=info', 'local7.debug', '*.emerg']

const KINDS: Readonly<Record<string, (at: number) => RuleWords>> = {
  'selectors alone': () => ({}),
  'one program block among them': (at) => (at === 7 ? { program: 'sshd' } : {}),
  'a program in each': (at) => ({ program: at === 3 ? 'sshd' : `daemon${at}` }),
  'a host in each': (at) => ({ host: at === 3 ? 'web01' : `*.site${at}.example.com` }),
  'a text in each': (at) => ({ when: { match: `refused${at}` } }),
  'one regex among them': (at) => (at === 7 ? { when: { message: '/(Failed|Accepted) \\w+ for/' } } : {}),
  'one property among them': (at) => (at === 7 ? { when: { property: 'msg, contains, "refused"' } } : {}),
}

/** A batch as it lies in memory: messages of 20 priorities one after another. */
const places: Array<readonly [number, number]> = []
let text = '--------'
for (let index = 0; index < 100; index++) {
  const start = text.length
  text += `<${(index * 37) % 192}>1 2026-03-01T10:00:05.123456+00:00 web01.example.com sshd 4242 - - ${TEXT}`
  places.push([start, text.length])
  text += '----'
}
const memory = new Uint8Array(Buffer.from(text))
const context = messageContext({ host: 'web01' })

for (const [name, wordsOf] of Object.entries(KINDS)) {
  const rules = Array.from({ length: RULES }, (_, at) =>
    compileRule({ select: SELECTORS[at % SELECTORS.length], ...wordsOf(at) }, at + 1, [at]),
  )
  const list = new RuleList(rules)
  measure(`20 rules: ${name}`, MESSAGES, () => {
    let sum = 1
    for (let index = 0; index < MESSAGES; index++) {
      const place = places[index % places.length]!
      sum += list.route(memory, place[0], place[1], context)
    }
    return sum
  })
}
