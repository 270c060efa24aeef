// What the guest tells of each step, one line of its console each.

export const RESULT_MARK = 'TRIAL '

export interface StepResult {
  readonly what: string
  readonly isGood: boolean
  readonly result: string
  readonly seconds: number
}

/** Of all steps of one boot. */
export interface BootEnd {
  readonly failures: number
  readonly isLast: boolean
}

/** One step, or the end of all of them; undefined for every other line. */
export function parseResult(line: string): StepResult | BootEnd | undefined {
  const at = line.indexOf(RESULT_MARK)
  if (at === -1) return undefined
  try {
    return JSON.parse(line.slice(at + RESULT_MARK.length)) as StepResult | BootEnd
  } catch {
    return undefined
  }
}
