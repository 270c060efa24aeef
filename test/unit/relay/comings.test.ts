import test from 'ava'
import { createLog } from '../../../core/base/log.ts'
import { Comings } from '../../../relay/comings.ts'
import { JumpingClock } from '../destinations/foreign-world.ts'

function made() {
  const lines: string[] = []
  const clock = new JumpingClock()
  clock.stop()
  const comings = new Comings(
    createLog('debug', 'text', (line) => lines.push(line.replace(/^\S+ /, '').trimEnd())),
    clock,
  )
  const gone = (name: string, peer: string, reason?: string): void => {
    const text = `${name} has gone${reason === undefined ? '' : `: ${reason}`}`
    comings.tell({ level: reason === undefined ? 'info' : 'warn', event: 'peer-gone', name, peer, text, reason, fields: { messages: 7 } })
  }
  return { lines, clock, gone }
}

test('a peer that goes again and again has one line a minute, and the next one counts', (t) => {
  const { lines, clock, gone } = made()
  for (let time = 0; time < 500; time++) gone('box7', `192.0.2.7:${1000 + time}`)
  clock.pass(59_999)
  gone('box7', '192.0.2.7:4')
  t.deepEqual(lines, ['info peer-gone: box7 has gone peer=192.0.2.7:1000 name=box7 messages=7'])
  clock.pass(2)
  gone('box7', '192.0.2.7:5')
  t.is(
    lines[1],
    'info peer-gone: box7 has gone (and 500 more times since this was last said) peer=192.0.2.7:5 name=box7 messages=7 repeated=500',
  )
  t.is(lines.length, 2)
})

test('another name, another address, another cause each have a line', (t) => {
  const { lines, gone } = made()
  gone('box7', '192.0.2.7:1')
  gone('box8', '192.0.2.7:1')
  gone('box7', '192.0.2.8:1')
  gone('box7', '[2001:db8::1]:1')
  gone('box7', 'unix')
  gone('box7', '192.0.2.7:1', 'too slow')
  t.is(lines.length, 6)
})

test('attack: what a peer makes up does not make each time a cause of its own', (t) => {
  const { lines, gone } = made()
  for (let time = 0; time < 200; time++) {
    gone('box7', '192.0.2.7:1', `command "x${time}"y" is not known`)
    gone('box7', '192.0.2.7:1', `MSG-LEN ${time} is over the limit`)
    gone('box7', `[2001:db8::${time.toString(16)}]:1`, 'too slow')
  }
  t.is(lines.length, 3, lines.join('\n'))
})
