// What the steps in the guest are made of: commands, messages, and a line of the console for each result.

import { spawn, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { disorder, everyNumber, filedNumbers, missing } from '../support/numbered.ts'
import { RESULT_MARK } from './result.ts'

export const HERE = '/root/trial'
export const FILED = '/var/log/loghop/web01.example.com/messages'
export const AGENT = 'loghop-agent.service'
export const RELAY = 'loghop-relay.service'
export const AUTHORITY = 'loghop-pki.service'
const PATIENCE_MS = 120_000
const TAIL_BYTES = 1 << 18
export const RATE = 5000
const MESSAGE_BYTES = 200

export function say(line: string): void {
  fs.writeFileSync('/dev/console', `${line}\n`)
}

/** Runs a command that has to succeed. @returns what it printed */
export function run(...command: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command[0]!, command.slice(1), { encoding: 'utf8', maxBuffer: 1 << 28 })
  if (status !== 0) throw new Error(`${command.join(' ')}: exit ${status}: ${stderr}${stdout}`)
  return stdout
}

export function shown(unit: string, property: string): string {
  return run('systemctl', 'show', unit, '--value', '-p', property).trim()
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

export async function until(what: string, isTrue: () => boolean): Promise<void> {
  let endMs = performance.now() + PATIENCE_MS
  let bytes = filedBytes()
  while (!isTrue()) {
    // As long as something arrives it is slow, not lost.
    if (filedBytes() !== bytes) endMs = performance.now() + PATIENCE_MS
    bytes = filedBytes()
    if (performance.now() > endMs) throw new Error(`gave up waiting for ${what}`)
    await pause(300)
  }
}

export function must(isTrue: boolean, sentence: string): void {
  if (!isTrue) throw new Error(sentence)
}

/** How often that stands in the relay's file. */
export function filed(text: string): number {
  return fs.readFileSync(FILED, 'latin1').split(text).length - 1
}

export function filedBytes(): number {
  return fs.statSync(FILED, { throwIfNoEntry: false })?.size ?? 0
}

/** Whether that stands in the last of it: to look at all of it each time would be the greatest load here. */
export function isFiled(pattern: RegExp): boolean {
  if (filedBytes() === 0) return false
  const fd = fs.openSync(FILED, 'r')
  try {
    const bytes = Buffer.alloc(Math.min(TAIL_BYTES, filedBytes()))
    fs.readSync(fd, bytes, 0, bytes.length, filedBytes() - bytes.length)
    return pattern.test(bytes.toString('latin1'))
  } finally {
    fs.closeSync(fd)
  }
}

export function mainPid(unit: string): string {
  return shown(unit, 'MainPID')
}

/** Milliseconds from the start of the process until systemd had its READY=1. */
export function readyMs(unit: string): number {
  return (Number(shown(unit, 'ActiveEnterTimestampMonotonic')) - Number(shown(unit, 'ExecMainStartTimestampMonotonic'))) / 1000
}

/** Of steps that were not as they should be. */
export let failures = 0

/** One line of the table. @param work throws when it is not as it should be */
export async function step(what: string, work: () => Promise<string> | string): Promise<void> {
  const beginMs = performance.now()
  const tell = (isGood: boolean, result: string): void =>
    say(`${RESULT_MARK}${JSON.stringify({ what, isGood, result, seconds: (performance.now() - beginMs) / 1000 })}`)
  try {
    tell(true, await work())
  } catch (error) {
    failures++
    tell(false, (error as Error).message)
    const logs = spawnSync('journalctl', ['-b', '-n', '30', '--no-pager', '-o', 'short', '-u', 'loghop-*'], { encoding: 'utf8' })
    say(logs.stdout)
  }
}

/** Sends numbered messages to /dev/log at that rate while `work` runs. @returns how many it has sent, and how many had to wait */
export async function underLoad(name: string, rate: number, work: () => Promise<void>): Promise<{ sent: number; retried: number }> {
  const stopFile = `${HERE}/stop-${name}`
  const args = ['/dev/log', name, '1000000000', String(MESSAGE_BYTES), String(rate), stopFile]
  const child = spawn(`${HERE}/sender`, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let printed = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text
  })
  const ended = new Promise((resolve) => child.once('close', resolve))
  try {
    await work()
  } finally {
    fs.writeFileSync(stopFile, '')
    await ended
  }
  return JSON.parse(printed) as { sent: number; retried: number }
}

/** Waits for the last and looks at each: once, and in order. */
export async function allOnce(name: string, sent: number): Promise<void> {
  let isLate = false
  await until(`message ${sent} of ${name}`, () => isFiled(new RegExp(` ${name}(\\[\\d+\\])?: ${sent} x`))).catch(() => {
    isLate = true
  })
  const numbers = new Map([[name, filedNumbers(FILED).get(name) ?? []]])
  const fault = disorder(numbers) ?? missing(new Map([[name, everyNumber([sent]).get('s1')!]]), numbers)
  must(fault === undefined, fault ?? '')
  must(!isLate, 'the last came too late')
}

export async function restarted(...units: readonly string[]): Promise<void> {
  run('systemctl', 'restart', ...units)
  await pause(3000)
}
