// Regimes behind the candles: a faint band over the whole height and a strong ribbon at the foot.
import type { IChartApi, IPrimitivePaneRenderer, IPrimitivePaneView, ISeriesPrimitive, Logical, SeriesAttachedParameter, Time } from "lightweight-charts";
import { regimeColour } from "../parts/figures";
import type { Regime } from "../wire/types";

/** `from` and `to` are places of bars in the series, both included. */
export interface Span { readonly from: number; readonly to: number; readonly regime: Regime }

const RIBBON_PX = 5;

type Fill = (context: CanvasRenderingContext2D, span: Span, left: number, width: number, height: number, ratio: number) => void;

export class RegimeBands implements ISeriesPrimitive<Time> {
  private chart: IChartApi | null = null;
  private update: (() => void) | null = null;
  private spans: ReadonlyArray<Span> = [];
  private readonly views: ReadonlyArray<IPrimitivePaneView>;

  constructor() {
    // The bands lie under the grid, the ribbon over it.
    const bands = this.renderer((context, span, left, width, height) => {
      if (span.regime === "undetermined") return;
      context.globalAlpha = 0.1;
      context.fillRect(left, 0, width, height);
    });
    const ribbon = this.renderer((context, _, left, width, height, ratio) => {
      const thick = Math.round(RIBBON_PX * ratio);
      context.globalAlpha = 1;
      context.fillRect(left, height - thick, width, thick);
    });
    this.views = [{ zOrder: () => "bottom", renderer: () => bands }, { zOrder: () => "normal", renderer: () => ribbon }];
  }

  private renderer(fill: Fill): IPrimitivePaneRenderer {
    return {
      draw: (target) => target.useBitmapCoordinateSpace(({ context, bitmapSize, horizontalPixelRatio, verticalPixelRatio }) => {
        const scale = this.chart?.timeScale();
        if (scale === undefined) return;
        const half = scale.options().barSpacing / 2;
        for (const span of this.spans) {
          const first = scale.logicalToCoordinate(span.from as Logical);
          const last = scale.logicalToCoordinate(span.to as Logical);
          if (first === null || last === null) continue;
          const left = Math.round((first - half) * horizontalPixelRatio);
          const right = Math.round((last + half) * horizontalPixelRatio);
          if (right < 0 || left > bitmapSize.width) continue;
          context.fillStyle = regimeColour(span.regime);
          fill(context, span, left, right - left, bitmapSize.height, verticalPixelRatio);
        }
        context.globalAlpha = 1;
      }),
    };
  }

  attached({ chart, requestUpdate }: SeriesAttachedParameter<Time>): void {
    this.chart = chart as unknown as IChartApi;
    this.update = requestUpdate;
  }

  detached(): void {
    this.chart = null;
    this.update = null;
  }

  paneViews(): readonly IPrimitivePaneView[] {
    return this.views;
  }

  show(spans: ReadonlyArray<Span>): void {
    this.spans = spans;
    this.update?.();
  }
}

/** Grows `spans` by the regime of the bar at `place`. */
export function grow(spans: Span[], place: number, regime: Regime): void {
  const last = spans[spans.length - 1];
  if (last !== undefined && last.regime === regime && last.to === place - 1) spans[spans.length - 1] = { ...last, to: place };
  else spans.push({ from: place, to: place, regime });
}
