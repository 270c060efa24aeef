// Runs as a service within the guest that run.ts boots, twice: Loghop is set up as the manual says, treated badly, and after another boot removed.

import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { failures, HERE, say } from './in-guest.ts'
import { RESULT_MARK } from './result.ts'
import { secondBoot } from './second-boot.ts'
import { setUp } from './set-up.ts'
import { treat } from './treat.ts'

const BOOTED = `${HERE}/booted`

async function trial(): Promise<boolean> {
  if (fs.existsSync(BOOTED)) {
    await secondBoot()
    return true
  }
  fs.writeFileSync(BOOTED, '')
  await setUp()
  // There is nothing to treat badly.
  if (failures > 0) return true
  await treat()
  return false
}

const isLast = await trial()
say(`${RESULT_MARK}${JSON.stringify({ failures, isLast })}`)
execFileSync('systemctl', ['poweroff', '--no-block'])
