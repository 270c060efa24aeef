// The wall clock of a daemon goes as far off as the file LOGHOP_TEST_CLOCK says, in milliseconds, and jumps when that changes. Intervals are not touched.

import * as fs from 'node:fs'

const file = process.env['LOGHOP_TEST_CLOCK']!
const trueNow = Date.now.bind(Date)
let offMs = 0

function now(): number {
  const text = fs.readFileSync(file, 'utf8')
  // Empty while it is being written.
  if (text !== '') offMs = Number(text)
  return trueNow() + offMs
}

const RealDate = Date
class JumpingDate extends RealDate {
  constructor(...given: []) {
    super(...((given.length === 0 ? [now()] : given) as []))
  }

  static override now(): number {
    return now()
  }
}
globalThis.Date = JumpingDate as DateConstructor
