import * as fs from 'node:fs'
import * as path from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Chain, linesOf } from '../support/chain.ts'
import { eventually } from '../support/eventually.ts'
import { disorder, everyNumber, filedNumbers, missing, type Numbered, total } from '../support/numbered.ts'
import { sendOne } from '../support/send-one.ts'
import { startSenders } from '../support/senders.ts'

const LINE_BYTES = 140

/** The promise: a line that comes a second after the file was moved is in the new one. */
function aSecond(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1000))
}

function textsOf(file: string): string[] {
  return linesOf(file).map((line) => line.replace(/^.*\]: /, ''))
}

test('a second after the file was renamed, lines go to a new one, and none is lost between', async (t) => {
  const chain = await Chain.start(t)
  sendOne(chain, 'before')
  await chain.lines(1)
  fs.renameSync(chain.file, `${chain.file}.1`)
  sendOne(chain, 'just after')
  await aSecond()
  sendOne(chain, 'later')
  await eventually('the later line', () => textsOf(chain.file).includes('later'))
  t.deepEqual([...textsOf(`${chain.file}.1`), ...textsOf(chain.file)], ['before', 'just after', 'later'])
  t.is(fs.statSync(chain.file).mode & 0o7777, 0o640)
})

test('a second after the file was deleted, lines go to a new one', async (t) => {
  const chain = await Chain.start(t)
  sendOne(chain, 'before')
  await chain.lines(1)
  fs.unlinkSync(chain.file)
  await aSecond()
  sendOne(chain, 'later')
  await chain.lines(1)
  t.deepEqual(textsOf(chain.file), ['later'])
})

test('the directory of the host may be moved away too', async (t) => {
  const chain = await Chain.start(t)
  sendOne(chain, 'before')
  await chain.lines(1)
  fs.renameSync(path.dirname(chain.file), chain.place('moved'))
  await aSecond()
  sendOne(chain, 'later')
  await chain.lines(1)
  t.deepEqual(textsOf(chain.file), ['later'])
  t.deepEqual(textsOf(chain.place('moved/messages')), ['before'])
  t.is(fs.statSync(path.dirname(chain.file)).mode & 0o7777, 0o750)
})

test('a file that was copied and truncated goes on from its start, without a hole', async (t) => {
  const chain = await Chain.start(t)
  sendOne(chain, 'before')
  await chain.lines(1)
  fs.copyFileSync(chain.file, `${chain.file}.1`)
  fs.truncateSync(chain.file)
  await aSecond()
  sendOne(chain, 'later')
  await chain.lines(1)
  t.deepEqual(textsOf(chain.file), ['later'])
  t.false(fs.readFileSync(chain.file).includes(0))
  // And a crash behind it neither doubles nor loses.
  await chain.relay.end('SIGKILL')
  sendOne(chain, 'meanwhile')
  await chain.startRelay()
  sendOne(chain, 'last')
  await chain.lines(3)
  t.deepEqual(textsOf(chain.file), ['later', 'meanwhile', 'last'])
})

/** What stands in all the files, the oldest first, as if it had never been rotated. */
function allNumbers(chain: Chain): Numbered {
  const directory = path.dirname(chain.file)
  const rotated = fs.readdirSync(directory).filter((name) => name !== 'messages')
  const whole = chain.place('whole')
  fs.writeFileSync(whole, '')
  rotated.sort((a, b) => Number(a.split('.')[1]) - Number(b.split('.')[1]))
  for (const name of [...rotated, 'messages']) {
    const file = path.join(directory, name)
    if (fs.existsSync(file)) fs.appendFileSync(whole, fs.readFileSync(file))
  }
  return filedNumbers(whole)
}

async function rotatedUnderLoad(t: ExecutionContext, between: (chain: Chain, round: number) => Promise<void>): Promise<void> {
  const chain = await Chain.start(t)
  const senders = startSenders(t, chain, { senders: 2, rate: 4000 })
  for (let round = 1; round <= 5; round++) {
    await chain.grown(4000 * LINE_BYTES)
    fs.renameSync(chain.file, `${chain.file}.${round}`)
    await between(chain, round)
  }
  await chain.grown(LINE_BYTES)
  senders.stop()
  const wanted = everyNumber((await senders.done).map((one) => one.sent))
  let filed = allNumbers(chain)
  await eventually(
    `${total(wanted)} lines in all files`,
    () => {
      filed = allNumbers(chain)
      return total(filed) >= total(wanted)
    },
    () => `There are ${total(filed)}. ${chain.relay.said}`,
  )
  t.is(disorder(filed), undefined, 'a line is doubled or out of order')
  t.is(missing(wanted, filed), undefined, 'a message was lost')
  t.deepEqual(fs.readdirSync(path.dirname(chain.file)).sort(), ['messages', ...[1, 2, 3, 4, 5].map((round) => `messages.${round}`)])
}

test.serial('rotated again and again under load, every line is in one file, once and in order', async (t) => {
  await rotatedUnderLoad(t, async () => undefined)
})

test.serial('rotated under load and killed at once, every line is in one file, once and in order', async (t) => {
  await rotatedUnderLoad(t, async (chain) => {
    await chain.relay.end('SIGKILL')
    await chain.startRelay()
  })
})

test.serial('rotated under load while the relay is stopped, every line is in one file, once and in order', async (t) => {
  await rotatedUnderLoad(t, async (chain, round) => {
    // Renamed once more while nobody has it open.
    await chain.relay.end('SIGTERM')
    if (fs.existsSync(chain.file)) fs.appendFileSync(`${chain.file}.${round}`, fs.readFileSync(chain.file))
    fs.rmSync(chain.file, { force: true })
    await chain.startRelay()
  })
})

for (const umask of [0o000, 0o077])
  test(`files are 0640 and directories 0750 with a umask of ${umask.toString(8).padStart(4, '0')}`, async (t) => {
    const chain = await Chain.make(t)
    chain.relayOptions['destinations'] = [
      { files: path.join(chain.logs, 'deep/$HOST/er/messages') },
      { files: chain.place('other/$HOST.log'), file_mode: '0604', directory_mode: '0711' },
    ]
    const before = process.umask(umask)
    t.teardown(() => process.umask(before))
    await chain.startRelay()
    process.umask(before)
    await chain.startAgent()
    sendOne(chain, 'hello')
    const file = path.join(chain.logs, 'deep/web01.example.com/er/messages')
    await chain.lines(1, file)
    await chain.lines(1, chain.place('other/web01.example.com.log'))
    const mode = (place: string): string => (fs.statSync(place).mode & 0o7777).toString(8)
    t.is(mode(file), '640')
    for (let directory = path.dirname(file); directory !== chain.directory; directory = path.dirname(directory))
      t.is(mode(directory), '750', directory)
    t.is(mode(chain.place('other/web01.example.com.log')), '604')
    t.is(mode(chain.place('other')), '711')
    // What holds messages and keys is for the daemon's user alone.
    t.is(mode(chain.place('relay-spool')), '700')
    t.is(mode(chain.place('relay-spool/status.sock')), '600')
    for (const name of fs.readdirSync(chain.place('relay-spool/segments')))
      t.is(fs.statSync(chain.place(`relay-spool/segments/${name}`)).mode & 0o077, 0)
  })
