/** Where the shop's own server hears of payments. */
import { useState } from 'preact/hooks';
import { c, failureText } from '../../common/text';
import { Button, Cell, Checkbox, Empty, List, Sheet, TextField } from '../../kit';
import { useAct, useLoad } from '../../lib/load';
import { href } from '../../lib/router';
import { EVENT_TYPES, type NewEndpoint, addEndpoint, listEndpoints } from '../api';
import { EndpointBadge } from '../badges';
import { Frame } from '../frame';
import { Secret } from '../secret';
import { t } from '../text';
import { Loaded } from '../view';

export default function Webhooks() {
  const endpoints = useLoad(listEndpoints, []);
  const [adding, setAdding] = useState(false);
  const [made, setMade] = useState<NewEndpoint>();
  const [url, setUrl] = useState('https://');
  const [types, setTypes] = useState<string[]>([...EVENT_TYPES]);
  const add = useAct(async () => {
    const endpoint = await addEndpoint(url.trim(), types);
    setAdding(false);
    setUrl('https://');
    setMade(endpoint);
    endpoints.reload();
  });
  return (
    <Frame title={t('hooks.title')} tab="/more" back={href('/more')}>
      <p class="till-note">{t('hooks.lead')}</p>
      <Loaded load={endpoints}>
        {(list) =>
          list.length === 0 ? (
            <Empty icon="webhook" title={t('hooks.none')} note={t('hooks.none.note')} />
          ) : (
            <List label={t('hooks.title')}>
              {list.map((one) => (
                <Cell key={one.id} icon="webhook" title={one.url} note={t('hooks.types', { n: one.types.length })} value={<EndpointBadge endpoint={one} />} href={href(`/webhooks/${one.id}`)} />
              ))}
            </List>
          )
        }
      </Loaded>
      <Button
        kind="primary"
        block
        icon="plus"
        onClick={() => {
          add.clear();
          setAdding(true);
        }}
      >
        {t('hooks.add')}
      </Button>
      <Sheet open={adding} onClose={() => setAdding(false)} title={t('hooks.add')} closeLabel={c('close')}>
        <form
          class="k-stack"
          onSubmit={(event) => {
            event.preventDefault();
            if (types.length > 0) add.run();
          }}
        >
          <TextField label={t('hooks.url')} hint={t('hooks.url.hint')} type="url" inputMode="url" mono value={url} onInput={setUrl} maxLength={2048} focus error={add.failure && failureText(add.failure)} />
          <fieldset>
            <legend class="till-legend">{t('hooks.events')}</legend>
            {EVENT_TYPES.map((type) => (
              <Checkbox
                key={type}
                label={t(`event.${type}`)}
                note={<span class="k-mono">{type}</span>}
                checked={types.includes(type)}
                onChange={(on) => setTypes(on ? [...types, type] : types.filter((one) => one !== type))}
              />
            ))}
          </fieldset>
          <Button kind="primary" block type="submit" busy={add.busy} disabled={types.length === 0}>
            {t('hooks.add')}
          </Button>
        </form>
      </Sheet>
      {made && <Secret secret={made.secret} title={t('hooks.secret')} note={t('hooks.secret.note')} onClose={() => setMade(undefined)} />}
    </Frame>
  );
}
