import type { ComponentFactory } from '../../blocks/component.js';
import { isReserved } from '../../blocks/component-environment.js';
import type { SecretStore } from '../../blocks/secrets/contract.js';
import { readOptions, text } from '../options.js';

/** `secretstores.local.env`: the sidecar's own environment. A variable that is not set is an empty secret, as in Dapr. */
export const createEnvSecretStore: ComponentFactory<SecretStore> = async (spec) => {
  const { prefix } = readOptions(spec, { prefix: text('') });
  const read = (name: string): string => {
    const variable = prefix + name;
    return isReserved(variable) ? '' : (process.env[variable] ?? '');
  };
  return {
    capabilities: [],
    get: async (name) => ({ [name]: read(name) }),
    async getAll() {
      const names = Object.keys(process.env).filter((name) => name.startsWith(prefix) && !isReserved(name));
      return Object.fromEntries(
        names.map((variable) => {
          const name = variable.slice(prefix.length);
          return [name, { [name]: read(name) }];
        }),
      );
    },
    close: async () => {},
  };
};
