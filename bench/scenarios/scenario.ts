import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Receiver, System } from '../systems/system.ts'

/** One thing that is measured, of every system in turn. */
export interface Scenario {
  /** As in BENCH_SCENARIOS. */
  readonly id: string
  readonly title: string
  /** @returns what goes into the JSON */
  run(bench: Bench): Promise<unknown>
}

/** Where and how it is measured. */
export class Bench {
  readonly directory: string
  readonly rounds: number
  /** Size of what is asked, against the whole: 1 unless the measurement is only tried. */
  readonly scale: number
  readonly systems: readonly System[]
  readonly receivers: readonly Receiver[]
  readonly sender: string
  readonly watcher: string
  readonly tlsSender: string

  constructor(given: Omit<Bench, 'fresh' | 'write' | 'messages' | 'inTurn'>) {
    this.directory = given.directory
    this.rounds = given.rounds
    this.scale = given.scale
    this.systems = given.systems
    this.receivers = given.receivers
    this.sender = given.sender
    this.watcher = given.watcher
    this.tlsSender = given.tlsSender
  }

  fresh(): string {
    return fs.mkdtempSync(path.join(this.directory, 'run-'))
  }

  messages(whole: number): number {
    return Math.max(1000, Math.round(whole * this.scale))
  }

  write(text: string): void {
    process.stdout.write(`${text}\n`)
  }

  /**
   * Measures each in turn, round by round, since the same machine is not as fast an hour later. What fails once is left out from then on, by name.
   * @returns the results of those that never failed
   */
  async inTurn<One extends { readonly name: string }, Result>(
    all: readonly One[],
    measure: (one: One, directory: string) => Promise<Result>,
    inWords: (result: Result) => string,
    rounds = this.rounds,
  ): Promise<Array<{ readonly one: One; readonly results: Result[] }>> {
    const measured = all.map((one) => ({ one, results: [] as Result[], isFailed: false }))
    for (let round = 1; round <= rounds; round++)
      for (const entry of measured) {
        if (entry.isFailed) continue
        const directory = this.fresh()
        try {
          const result = await measure(entry.one, directory)
          entry.results.push(result)
          this.write(`${String(round)}  ${entry.one.name.padEnd(26)} ${inWords(result)}`)
        } catch (error) {
          entry.isFailed = true
          this.write(`${String(round)}  ${entry.one.name.padEnd(26)} not measured: ${(error as Error).message}`)
        } finally {
          fs.rmSync(directory, { recursive: true, force: true })
        }
      }
    return measured.filter(({ isFailed }) => !isFailed)
  }
}

/** A table as Markdown has it. */
export function table(heads: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n')
}

/** The value of ours against the best of the others, in words. */
export function ratio<T extends { readonly name: string }>(all: readonly T[], figure: (one: T) => number, isLower: boolean): string {
  const isOurs = ({ name }: T): boolean => name.startsWith('loghop')
  const others = all.filter((one) => !isOurs(one))
  if (others.length === 0) return ''
  const best = others.reduce((a, b) => (isLower === figure(a) < figure(b) ? a : b))
  const ours = all.filter(isOurs)
  return ours.map((one) => `${one.name}: ${(figure(one) / figure(best)).toFixed(2)} of ${best.name}`).join('; ')
}
