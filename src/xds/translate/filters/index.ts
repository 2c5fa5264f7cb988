import type { HttpFilter } from '../../../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.js';
import type { FilterContext, FilterModule } from './module.js';
import { rbacFilter } from './rbac.js';
import { routerFilter } from './router.js';

/** The HTTP filter chain, in the order that requests pass through it. */
const filters: readonly FilterModule[] = [rbacFilter, routerFilter];

/** @returns the filters of one listener */
export const filterChain = (context: FilterContext): HttpFilter[] =>
  filters.map((filter) => filter.chain(context)).filter((filter) => filter !== undefined);
