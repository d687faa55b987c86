/** Gluu's addition to UMA: which of a resource's scopes it takes, as an expression of JsonLogic over a list of them. */
import { isObject } from '../is_object.js'
import { isText, paramFault } from './params.js'

export interface ScopeExpression {
  /** JsonLogic: an object of one operator, whose operands are such objects; `{"var": 0}` is the first scope. */
  rule: Record<string, unknown>
  data: string[]
}

const MOST_SCOPES = 100

const LONGEST_SCOPE = 1024

/** Levels of operators, and of lists, in one another. */
const DEEPEST = 32

/**
 * The AS evaluates it. What is held here is that it speaks of scopes, and of none that is not there.
 *
 * @param given an object, or the JSON text of one
 * @throws CommandError `invalid_scope_expressioin`
 */
export function readScopeExpression(given: unknown, field: string): ScopeExpression {
  const refuse = (what: string) => paramFault('invalid_scope_expressioin', field, what)
  const expression = typeof given === 'string' ? parsed(given) : given
  if (!isObject(expression)) throw refuse('must be an object with rule and data')
  const { rule, data } = expression
  if (!Array.isArray(data) || data.length === 0 || !data.every(isScope)) {
    throw refuse('needs data, a list of scopes')
  }
  if (data.length > MOST_SCOPES) throw refuse(`has more than ${MOST_SCOPES} scopes in data`)
  if (!isObject(rule)) throw refuse('needs rule, an object of JsonLogic')
  const places = placesIn(rule, refuse)
  if (places.length === 0) throw refuse('has a rule without a var, which depends on no scope')
  if (places.some((place) => place >= data.length)) {
    throw refuse(`has a rule with a var beyond ${data.length - 1}, the last place of data`)
  }
  return { rule, data }
}

export function isScope(given: unknown): given is string {
  return isText(given, LONGEST_SCOPE)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The places in `data` that a rule speaks of. */
function placesIn(rule: unknown, refuse: (what: string) => Error, levels = DEEPEST): number[] {
  if (typeof rule !== 'object' || rule === null) return []
  if (levels === 0) throw refuse(`has a rule of more than ${DEEPEST} levels`)
  const within = (inner: unknown) => placesIn(inner, refuse, levels - 1)
  if (Array.isArray(rule)) return rule.flatMap(within)
  const operators = Object.entries(rule)
  const [[operator, operands] = []] = operators
  if (operators.length !== 1) throw refuse('has a rule in which an object is not one operator')
  if (operator !== 'var') return within(operands)
  const place = placeOf(operands)
  if (place === undefined) throw refuse('has a rule with a var that is no place in data, 0 or more')
  return [place]
}

/** JsonLogic knows a place as a number, as its digits, and as the only member of a list. */
function placeOf(given: unknown): number | undefined {
  const [place, ...others] = Array.isArray(given) ? given : [given]
  if (others.length > 0 || !/^(?:number|string)$/.test(typeof place)) return undefined
  return /^\d{1,3}$/.test(String(place)) ? Number(place) : undefined
}
