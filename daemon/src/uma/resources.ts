/** What a resource server asks to have protected, read whole and strictly: a fault found later would leave a path open. */
import { bounded } from '../errors.js'
import { isObject } from '../is_object.js'
import { isText, paramFault } from './params.js'
import { isScope, readScopeExpression, type ScopeExpression } from './scope_expression.js'

export interface UmaResource {
  path: string
  conditions: UmaCondition[]
}

/** What it takes to use a path by some methods. */
export interface UmaCondition {
  /** In capitals. */
  http_methods: string[]
  /** Any of them will do; where there is an expression, those that it is about. */
  scopes: string[]
  /** What a permission ticket asks for; empty where that is `scopes`. */
  ticket_scopes: string[]
  scope_expression?: ScopeExpression
}

/** Each condition is a resource at the AS, registered by a request of its own. */
const MOST_CONDITIONS = 100

const LONGEST_PATH = 2048

/** RFC 9110 9.1: a method is a token. */
const METHOD = /^[!#$%&'*+.^`|~\w-]{1,32}$/

/**
 * Reads `resources` of uma_rs_protect. Members that are not known are left alone, as oxD did.
 *
 * @throws CommandError `invalid_uma_request`, `invalid_path_parameter`, `invalid_http_method`,
 * `http_method_not_unique`, `invalid_scope_expressioin`, `invalid_request`
 */
export function readResources(given: readonly unknown[] = []): UmaResource[] {
  const resources = given.map((one, index) => readResource(one, `resources.${index}`))
  const conditions = resources.flatMap((one) => one.conditions)
  if (conditions.length === 0) {
    throw paramFault(
      'invalid_uma_request',
      'resources',
      'has nothing to protect: give each path its conditions',
    )
  }
  if (conditions.length > MOST_CONDITIONS) {
    throw paramFault(
      'invalid_uma_request',
      'resources',
      `has ${conditions.length} conditions, and ${MOST_CONDITIONS} is the most; protect fewer at a time`,
    )
  }
  checkUnique(resources)
  return resources
}

function readResource(given: unknown, field: string): UmaResource {
  if (!isObject(given)) throw paramFault('invalid_request', field, 'must be an object with a path')
  const { path, conditions } = given
  if (!isText(path, LONGEST_PATH)) {
    throw paramFault(
      'invalid_path_parameter',
      `${field}.path`,
      `must be a path, of ${LONGEST_PATH} characters at the most`,
    )
  }
  const list = listOf(conditions, `${field}.conditions`)
  return {
    path,
    conditions: list.map((one, index) => readCondition(one, `${field}.conditions.${index}`)),
  }
}

function readCondition(given: unknown, field: string): UmaCondition {
  if (!isObject(given))
    throw paramFault('invalid_request', field, 'must be an object with httpMethods')
  const scope_expression = expressionOf(given['scope_expression'], `${field}.scope_expression`)
  const scopes = scope_expression?.data ?? scopesOf(given['scopes'], `${field}.scopes`)
  if (scopes.length === 0) {
    // Nobody could ever be granted a scope that is not there.
    throw paramFault('invalid_uma_request', field, 'needs scopes, or a scope_expression')
  }
  return {
    http_methods: methodsOf(given['httpMethods'], `${field}.httpMethods`),
    scopes,
    ticket_scopes: scopesOf(given['ticketScopes'], `${field}.ticketScopes`),
    ...(scope_expression && { scope_expression }),
  }
}

function methodsOf(given: unknown, field: string): string[] {
  const methods = listOf(given, field)
  if (methods.length === 0) throw paramFault('invalid_http_method', field, 'names no method')
  return methods.map((method, index) => {
    if (isHttpMethod(method)) return method.toUpperCase()
    throw paramFault(
      'invalid_http_method',
      `${field}.${index}`,
      'must be an HTTP method, such as GET',
    )
  })
}

export function isHttpMethod(given: unknown): given is string {
  return typeof given === 'string' && METHOD.test(given)
}

function scopesOf(given: unknown, field: string): string[] {
  return listOf(given, field).map((scope, index) => {
    if (isScope(scope)) return scope
    throw paramFault('invalid_request', `${field}.${index}`, 'must be the name of a scope')
  })
}

function expressionOf(given: unknown, field: string): ScopeExpression | undefined {
  // oxdpython's Resource begins with an empty one.
  if (given === undefined || given === null || isEmpty(given)) return undefined
  return readScopeExpression(given, field)
}

function isEmpty(given: unknown): boolean {
  return isObject(given) && Object.keys(given).length === 0
}

/** A list, or one member of it, or none. */
function listOf(given: unknown, field: string): unknown[] {
  if (given === undefined || given === null) return []
  if (Array.isArray(given)) return given
  if (typeof given === 'string' || isObject(given)) return [given]
  throw paramFault('invalid_request', field, 'must be a list')
}

/** A path is looked up in whatever letters, and by one method: two answers would be none. */
function checkUnique(resources: readonly UmaResource[]): void {
  const seen = new Set<string>()
  for (const { path, conditions } of resources) {
    for (const method of conditions.flatMap((one) => one.http_methods)) {
      const key = `${method} ${path.toLowerCase()}`
      if (seen.has(key)) {
        const what = `protects ${method} ${bounded(path, 200)} twice; give each method of a path one condition`
        throw paramFault('http_method_not_unique', 'resources', what)
      }
      seen.add(key)
    }
  }
}
