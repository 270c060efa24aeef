import type { Verdict } from '../core/daemon/check.ts'
import type { FilesOption } from '../core/destinations/files-options.ts'
import { directoryInstead } from '../core/destinations/make-files.ts'
import type { RuleOptions } from '../core/destinations/rule-options.ts'
import { planRules } from '../core/destinations/rule-targets.ts'

/** Files that cannot be written to, of what rules lead to and of destinations: what `run` would tell of them. */
export function checkFileDestinations(rules: readonly RuleOptions[], destinations: ReadonlyArray<object> = []): Verdict[] {
  const all = [...destinations, ...planRules(rules).targets.map(({ options }) => options)]
  return all.flatMap((options) => {
    const fault = isFiles(options) ? directoryInstead(options) : undefined
    return fault === undefined ? [] : [{ what: 'destination', isGood: false, text: fault.message, remedy: fault.remedy }]
  })
}

function isFiles(options: object): options is FilesOption {
  return 'files' in options
}
