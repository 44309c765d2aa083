/** The shop's poster: shown, saved, printed. */
import { useState } from 'preact/hooks';
import { c } from '../../common/text';
import { Button, Empty, Row, Segmented, Skeleton } from '../../kit';
import { download } from '../../lib/call';
import { useAct } from '../../lib/load';
import { href } from '../../lib/router';
import { posterUrl } from '../api';
import { Frame } from '../frame';
import { useMe } from '../me';
import { t } from '../text';
import { Refusal } from '../view';

export default function Poster() {
  const { shop } = useMe();
  const [paper, setPaper] = useState<'a5' | 'a6'>('a6');
  const [turn, setTurn] = useState(0);
  const [state, setState] = useState<'loading' | 'there' | 'failed'>('loading');
  const save = useAct(() => download(posterUrl(paper, 'pdf'), `${shop.name}-${paper}.pdf`));
  return (
    <Frame title={t('poster.title')} tab="/more" back={href('/more')}>
      <div class="till-poster-controls">
        <p class="till-note">{t('poster.lead')}</p>
        <Segmented
          label={t('poster.paper')}
          value={paper}
          options={[
            { value: 'a6', label: t('poster.a6') },
            { value: 'a5', label: t('poster.a5') },
          ]}
          onChange={(next) => {
            setPaper(next as 'a5' | 'a6');
            setState('loading');
          }}
        />
        <Row>
          <Button kind="primary" icon="download" busy={save.busy} onClick={() => save.run()}>
            {t('poster.save')}
          </Button>
          <Button icon="print" disabled={state !== 'there'} onClick={() => print()}>
            {t('poster.print')}
          </Button>
        </Row>
        <Refusal failure={save.failure} />
        <p class="till-note">{t('poster.scale')}</p>
      </div>
      {state === 'failed' ? (
        <Empty
          icon="error"
          title={c('failed.title')}
          action={
            <Button
              onClick={() => {
                setState('loading');
                setTurn(turn + 1);
              }}
            >
              {c('retry')}
            </Button>
          }
        />
      ) : (
        <div class="till-poster">
          {state === 'loading' && <Skeleton shape="code" label={c('loading')} />}
          <img
            key={`${paper}${turn}`}
            class={`till-poster-${paper}`}
            hidden={state === 'loading'}
            src={posterUrl(paper, 'svg')}
            alt={t('poster.alt', { shop: shop.name })}
            onLoad={() => setState('there')}
            onError={() => setState('failed')}
          />
        </div>
      )}
    </Frame>
  );
}
