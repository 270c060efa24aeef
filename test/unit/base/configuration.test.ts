import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import test from 'ava'
import { z } from 'zod'
import { ConfigurationError, loadConfiguration } from '../../../core/base/configuration.ts'
import { explain, LoghopError } from '../../../core/base/errors.ts'
import { addressOption } from '../../../core/base/option-kinds.ts'
import { optionNotes } from '../../../core/base/option-notes.ts'
import { sizeOption } from '../../../core/base/quantities.ts'
import { load, problemsOf, refusal, withFile } from '../../support/configuration.ts'

const schema = z
  .strictObject({
    name: z.string(),
    limit: sizeOption({ min: 10, max: 20, fallback: 15 }),
    relay: addressOption('Where to', 'relay.example.com:6514').optional(),
    level: z.enum(['info', 'warn', 'error']).default('info'),
    quiet: z.boolean().default(false),
    items: z
      .array(
        z.union([
          z.literal('internal'),
          z.strictObject({ unix: z.string(), mode: z.string().optional() }),
          z.strictObject({ tcp: z.string() }),
        ]),
      )
      .default([]),
    password: z.string().max(3).optional(),
    nested: z.strictObject({ deep: z.strictObject({ word: z.string() }) }).optional(),
  })
  .register(optionNotes, { unavailable: { rules: 'write them elsewhere' } })

test('loadConfiguration() returns what the schema makes of the file, frozen to the bottom', (t) => {
  const loaded = load('name: a\nnested: { deep: { word: yes } }\nitems: [ internal, { unix: b } ]\n', schema)
  t.deepEqual(loaded, {
    name: 'a',
    limit: 15,
    level: 'info',
    quiet: false,
    items: ['internal', { unix: 'b' }],
    nested: { deep: { word: 'yes' } },
  })
  for (const part of [loaded, loaded.items, loaded.items[1], loaded.nested, loaded.nested?.deep]) t.true(Object.isFrozen(part))
})

test('loadConfiguration() takes a byte order mark, comments, Windows line ends and a document marker', (t) => {
  t.is(load('\ufeff# x\r\n---\r\nname: a\r\n', schema).name, 'a')
})

test('loadConfiguration() names place, path, what was found and what is allowed', (t) => {
  t.deepEqual(problemsOf('name: a\nrelay: 6514\n', schema), [
    '2:8: relay: found number 6514, allowed an address such as relay.example.com:6514',
  ])
  const error = withFile('name: a\nrelay: 6514\n', (file) => {
    const thrown = t.throws(() => loadConfiguration(file, schema))
    t.true(thrown.message.includes(`${file}:2:8: relay: found`))
    return thrown
  })
  t.true(error instanceof LoghopError && error instanceof ConfigurationError && error.code === 'CONFIGURATION' && error.exitCode === 78)
})

test('loadConfiguration() reports five faults of one file in the order of its lines', (t) => {
  const text = 'nam: a\nlimit: 9\nlevel: loud\nquiet: yes\nitems:\n  - { unix: 5 }\n'
  t.deepEqual(problemsOf(text, schema), [
    '1:1: nam: found an unknown key (did you mean "name"?), allowed name, limit, relay, level, quiet, items, password, nested',
    '2:8: limit: found number 9 (too small), allowed a size such as 15B, from 10B to 20B',
    '3:8: level: found "loud", allowed info, warn or error',
    '4:8: quiet: found "yes", allowed true or false',
    '6:13: items[0].unix: found number 5, allowed text',
  ])
})

test('loadConfiguration() names known keys alone for an unknown key that is near none', (t) => {
  t.deepEqual(problemsOf('name: a\nnested: { deep: { word: b, zebra: 1 } }\n', schema), [
    '2:28: nested.deep.zebra: found an unknown key, allowed word',
  ])
})

test('loadConfiguration() says of a key of another version what to do without it', (t) => {
  t.deepEqual(problemsOf('name: a\nrules: [ x ]\n', schema), ['2:1: rules: not available in this version; write them elsewhere'])
})

test('loadConfiguration() shows a missing key at the mapping that lacks it, and an empty value at its key', (t) => {
  t.deepEqual(problemsOf('name:\nnested: { deep: {} }\n', schema), [
    '1:1: name: found nothing, allowed text',
    '2:17: nested.deep.word: found nothing, allowed text',
  ])
})

test('loadConfiguration() reports the branch of a union that was meant', (t) => {
  const problems = (item: string) => problemsOf(`name: a\nitems:\n  - ${item}\n`, schema)
  const whole = 'allowed internal, or a mapping with unix, optionally mode, or a mapping with tcp'
  t.deepEqual(problems('{ unix: a, mod: "1" }'), ['3:16: items[0].mod: found an unknown key (did you mean "mode"?), allowed unix, mode'])
  t.deepEqual(problems('{ unxi: a }'), ['3:7: items[0].unxi: found an unknown key (did you mean "unix"?), allowed unix, mode'])
  t.deepEqual(problems('{ tcp: 1, mode: x }'), [
    '3:12: items[0].tcp: found number 1, allowed text',
    '3:15: items[0].mode: found an unknown key, allowed tcp',
  ])
  t.deepEqual(problems('{ zebra: 1 }'), [`3:5: items[0]: found a mapping with zebra, ${whole}`])
  t.deepEqual(problems('external'), [`3:5: items[0]: found "external", ${whole}`])
  t.deepEqual(problems('[ internal ]'), [`3:5: items[0]: found a list, ${whole}`])
})

test('loadConfiguration() names the known keys of a mapping that stands in a union within a union', (t) => {
  const one = z.union([
    z.string(),
    z.strictObject({ unix: z.string() }),
    z.strictObject({ file: z.string(), sync: z.boolean().optional() }),
  ])
  const either = z.strictObject({ to: z.union([one, z.array(one)]) })
  t.deepEqual(problemsOf('to: { file: a, limit: 3 }\n', either), ['1:16: to.limit: found an unknown key, allowed file, sync'])
  t.deepEqual(problemsOf('to: [ { file: a, snc: 3 } ]\n', either), [
    '1:18: to[0].snc: found an unknown key (did you mean "sync"?), allowed file, sync',
  ])
})

test('loadConfiguration() finds a repeated key, and the other faults with it', (t) => {
  t.deepEqual(problemsOf('name: a\nlimit: 12\nname: 5\n', schema), [
    '3:1: name: found the key a second time, allowed once',
    '3:7: name: found number 5, allowed text',
  ])
})

for (const [what, text, place, said] of [
  ['a tab', 'name: a\nnested:\n\tdeep: b\n', '3:1', /found a tab, allowed spaces/],
  ['an unclosed quote', 'name: "a\n', '2:1', /no closing quote/],
  ['an unclosed bracket', 'items: [ internal\nname: a\n', '2:1', /closing bracket/],
  ['an unquoted bracketed address', 'name: [::]:6514\n', '1:11', /text in quotes/],
  ['two keys in one line', 'name: b: c\n', '1:7', /a second "key:"/],
  ['a line without a key', 'name: b\nrubbish\nlimit: 12\n', '2:1', /belongs to no key/],
  ['a reserved character', 'name: @a\n', '1:7', /reserved character/],
  ['a tag', 'name: !x a\n', '1:7', /found a tag/],
  ['a second document', 'name: a\n---\nname: b\n', '2:1', /second document/],
  ['an asterisk without quotes', 'name: *.err\n', '1:7', /\* in quotes/],
  ['an anchor', 'name: &a b\n', '1:10', /anchor or alias/],
  ['a merge key', 'nested: &n { deep: { word: a } }\nname: a\n<<: *n\n', '1:12', /anchor or alias/],
  ['a key that is a list', '? [ a ]\n: b\n', '1:3', /key that is not text/],
  ['an older YAML', '%YAML 1.1\n---\nname: a\n', '1:1', /YAML 1\.1, allowed YAML 1\.2/],
] as const) {
  test(`loadConfiguration() shows where ${what} stands and what to write instead`, (t) => {
    const [problem] = refusal(text, schema).problems
    t.is(`${problem?.line}:${problem?.column}`, place)
    t.regex(problem?.text ?? '', said)
  })
}

test('loadConfiguration() reports slips of YAML on different lines together', (t) => {
  t.deepEqual(
    refusal('name: @a\nlimit: `b\nrelay: %c\n', schema).problems.map(({ line }) => line),
    [1, 2, 3],
  )
})

test('loadConfiguration() never quotes a secret', (t) => {
  const secret = 'hunter2'
  const texts = [
    `name: a\npassword: ${secret}\n`,
    `name: a\nnested: { deep: { word: a, api_token: ${secret} } }\n`,
    `name: a\npassphrase: { of: [ ${secret} ], ${secret}: 1 }\n`,
    `name: a\nrelay: "password=${secret}"\n`,
    `name: a\n"password=${secret}": 1\n`,
    `name: a\npassword: [ ${secret} ]\n`,
    `name: a\npassword: { ${secret}: ${secret} }\n`,
    `password: |${secret}\n  ${secret}\n`,
    `password: "${secret}\n`,
    `password: *${secret}\n`,
    `password: &${secret} b\n`,
    `password: !${secret} b\n`,
    `name: a\npassword:\n  ${secret}: 1\n  ${secret}: 2\n`,
    `name: a\nlimit: { token: ${secret} }\n`,
    `name: a\n? password ${secret}\n: 1\n`,
  ]
  for (const text of texts) {
    const error = refusal(text, schema)
    t.true(error.problems.length > 0, text)
    t.false(`${explain(error)}${JSON.stringify(error)}${JSON.stringify(error.problems)}`.includes(secret), `${text}\n${explain(error)}`)
  }
})

test('loadConfiguration() cuts long values and escapes what a terminal would act on', (t) => {
  const [problem] = refusal(`name: a\nlevel: "\\e[31m\u202e${'x'.repeat(1000)}"\n`, schema).problems
  t.true(problem!.text.length < 200)
  t.regex(problem!.text, /found "\\u001b\[31m\\u202exxx/)
})

test('loadConfiguration() shows a number as it was written', (t) => {
  t.regex(problemsOf('name: 0640\n', schema)[0] ?? '', /found number 0640, allowed text/)
})

test('loadConfiguration() takes a file of 1 MiB and refuses one byte more', (t) => {
  const head = 'name: a\n#'
  t.is(load(head + 'x'.repeat((1 << 20) - head.length), schema).name, 'a')
  t.regex(refusal(head + 'x'.repeat((1 << 20) + 1 - head.length), schema).message, /over 1048576 bytes/)
})

for (const [what, piece] of [
  ['brackets', '['],
  ['dashes', '- '],
  ['mappings', '{a: '],
  ['anchors', '&a ['],
  ['question marks', '? '],
] as const) {
  test(`loadConfiguration() refuses a megabyte of ${what} before the parser recurses into it`, (t) => {
    const [problem] = refusal(`name: a\nitems:\n  ${piece.repeat(Math.floor((1 << 20) / piece.length) - 20)}`, schema).problems
    t.regex(problem?.text ?? '', /more than 64 levels/)
    t.is(problem?.line, 3)
  })
}

test('loadConfiguration() takes 64 levels and refuses 65', (t) => {
  const nest = (levels: number) => `${'['.repeat(levels)}1${']'.repeat(levels)}\n`
  t.notThrows(() => load(nest(64), z.unknown()))
  t.deepEqual(problemsOf(nest(65), z.unknown()), ['1:65: : found more than 64 levels, allowed 64'])
})

test('loadConfiguration() refuses aliases that would multiply, without multiplying them', (t) => {
  const bomb = Array.from({ length: 40 }, (_, at) => `a${at + 1}: &a${at + 1} [ *a${at}, *a${at} ]`).join('\n')
  t.true(problemsOf(`a0: &a0 b\n${bomb}\n`, schema).length > 80)
})

test('loadConfiguration() lists a hundred problems and counts the rest', (t) => {
  const error = refusal(`name: a\n${Array.from({ length: 130 }, (_, at) => `key${at}: 1\n`).join('')}`, schema)
  t.is(error.problems.length, 130)
  t.is(error.message.split('\n').length, 102)
  t.regex(error.message, /and 30 more$/)
})

test('loadConfiguration() treats __proto__ and constructor as the unknown keys they are', (t) => {
  t.deepEqual(
    refusal('name: a\n__proto__: { x: 1 }\nconstructor: 2\n', schema).problems.map((problem) => problem.path),
    ['__proto__', 'constructor'],
  )
})

for (const [what, content, said] of [
  ['empty', '', /it is empty/],
  ['only comments', '# name: a\n', /it is empty/],
  ['not UTF-8', Uint8Array.of(0x6e, 0xff, 0xfe), /not UTF-8/],
] as const) {
  test(`loadConfiguration() refuses a file that is ${what}`, (t) => {
    const error = refusal(content, schema)
    t.regex(error.message, said)
    t.true(error.remedy.length > 0)
  })
}

test('loadConfiguration() says what a path is that holds no file', (t) => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'loghop-configuration-'))
  try {
    const wrong = (file: string) => t.throws(() => loadConfiguration(file, schema), { instanceOf: ConfigurationError })
    t.regex(wrong(path.join(directory, 'absent.yaml')).message, /there is no such file/)
    t.regex(wrong(directory).message, /it is a directory/)
    t.regex(wrong('/dev/null').message, /not a regular file/)
    if (process.getuid?.() !== 0) {
      const closed = path.join(directory, 'closed.yaml')
      fs.writeFileSync(closed, 'name: a\n', { mode: 0 })
      t.regex(wrong(closed).message, /may not read it/)
    }
  } finally {
    fs.rmSync(directory, { recursive: true })
  }
})
