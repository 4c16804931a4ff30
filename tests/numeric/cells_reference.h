/* Every cell of cells/ once more, by hand from the papers' equations, in binary128: the step, and
 * what is written where that is not the states. Leaves stand in order of declaration. */
#ifndef PRNN_CELLS_REFERENCE_H
#define PRNN_CELLS_REFERENCE_H

#include <stddef.h>

typedef __float128 quad;

/* Of libquadmath, whose header comes with gcc alone. */
quad cosq(quad), expq(quad), expm1q(quad), fabsq(quad), log1pq(quad), logq(quad);
quad sinq(quad), sqrtq(quad), tanhq(quad);

static quad logistic(quad x)
{
    return 1 / (1 + expq(-x));
}

static quad softplus(quad x)
{
    return logq(1 + expq(x));
}

/* h and next: states; x: inputs; p: parameters; y: outputs. */
#define CELL(name)                                                                                 \
    static void name##_reference(const quad *h, const quad *x, const quad *p, quad *next, quad *y)
#define UNUSED(a) ((void)(a))

CELL(paragru)
{
    quad z = logistic(p[0] * h[0] + x[0]), r = logistic(p[1] * h[0] + x[1]);
    quad c = tanhq(p[2] * (r * h[0]) + x[2]);
    y[0] = next[0] = (1 - z) * h[0] + z * c;
}

CELL(paralstm)
{
    quad f = logistic(p[0] * h[1] + p[3] * h[0] + x[0]), z = tanhq(p[1] * h[1] + x[1]);
    next[0] = f * h[0] + (1 - f) * z;
    y[0] = next[1] = logistic(p[2] * h[1] + p[4] * next[0] + x[2]) * tanhq(next[0]);
}

CELL(indylstm)
{
    quad i = logistic(p[0] * h[1] + x[0]), f = logistic(p[1] * h[1] + x[1]);
    quad z = tanhq(p[2] * h[1] + x[2]), o = logistic(p[3] * h[1] + x[3]);
    next[0] = f * h[0] + i * z;
    y[0] = next[1] = o * tanhq(next[0]);
}

CELL(mgu)
{
    quad f = logistic(p[0] * h[0] + x[0]), c = tanhq(p[1] * f * h[0] + x[1]);
    y[0] = next[0] = (1 - f) * h[0] + f * c;
}

CELL(gru_reset_after)
{
    quad z = logistic(p[0] * h[0] + x[0]), r = logistic(p[1] * h[0] + x[1]);
    quad n = tanhq(x[2] + r * (p[2] * h[0] + p[3]));
    y[0] = next[0] = (1 - z) * n + z * h[0];
}

CELL(indrnn)
{
    y[0] = next[0] = tanhq(x[0] + p[0] * h[0]);
}

CELL(indrnn_relu)
{
    quad a = x[0] + p[0] * h[0];
    y[0] = next[0] = a > 0 ? a : 0;
}

CELL(nlru)
{
    quad a = logistic(x[0]);
    y[0] = next[0] = a * h[0] + (1 - a) * tanhq(x[1] + p[0] * h[0]);
}

CELL(cfc)
{
    quad a = logistic(-(softplus(x[0]) * x[3] + x[1]));
    y[0] = next[0] = a * h[0] + (1 - a) * tanhq(x[2] + p[0] * h[0]);
}

CELL(sru)
{
    quad f = logistic(x[0] + p[0] * h[0]), r = logistic(x[1] + p[1] * h[0]);
    next[0] = f * h[0] + (1 - f) * x[2];
    y[0] = r * tanhq(next[0]) + (1 - r) * x[2];
}

CELL(lrc)
{
    quad s = logistic(p[0] * (h[0] - p[1])), e = logistic(p[5] * h[0] + p[6]);
    quad decay = -logistic(x[0] + p[2] * s), drive = p[4] * tanhq(x[1] + p[3] * s);
    y[0] = next[0] = h[0] + e * (h[0] * decay + drive);
}

CELL(ctrnn)
{
    y[0] = next[0] = h[0] + 1 / p[1] * (-h[0] + tanhq(p[0] * h[0] + x[0]));
}

/* The gates' pre-activations in a[]: input, forget, candidate, output. States c, n, m, h. */
static void slstm_step(const quad *h, const quad *a, quad *next, quad *y)
{
    quad forget = logq(logistic(a[1])) + h[2];
    next[2] = a[0] > forget ? a[0] : forget;
    next[0] = expq(forget - next[2]) * h[0] + expq(a[0] - next[2]) * tanhq(a[2]);
    next[1] = expq(forget - next[2]) * h[1] + expq(a[0] - next[2]);
    y[0] = next[3] = logistic(a[3]) * (next[0] / next[1]);
}

CELL(slstm)
{
    quad a[4];
    for (int k = 0; k < 4; k++)
        a[k] = x[k] + p[k] * h[3];
    slstm_step(h, a, next, y);
}

CELL(slstm_r0)
{
    UNUSED(p);
    slstm_step(h, x, next, y);
}

CELL(brc)
{
    quad a = 1 + tanhq(x[0] + p[0] * h[0]), c = logistic(x[1] + p[1] * h[0]);
    y[0] = next[0] = c * h[0] + (1 - c) * tanhq(x[2] + a * h[0]);
}

CELL(unicornn)
{
    quad s = (quad)0.1 * logistic(p[1]);
    next[0] = h[0] - s * (tanhq(p[0] * h[1] + x[0]) + h[1] / 2);
    y[0] = next[1] = h[1] + s * next[0];
}

CELL(titans_lite)
{
    quad k = x[3], g = (h[0] * k - x[4]) * k;
    y[0] = next[0] =
        (1 - logistic(x[0])) * h[0] - softplus(x[1]) * g + p[0] * tanhq(x[2] + p[1] * h[0]);
}

CELL(mingru)
{
    quad z = logistic(x[0]), g = x[1] >= 0 ? x[1] + (quad)0.5 : logistic(x[1]);
    UNUSED(p);
    y[0] = next[0] = (1 - z) * h[0] + z * g;
}

CELL(minlstm)
{
    quad f = logistic(x[0]), i = logistic(x[1]);
    UNUSED(p);
    y[0] = next[0] = f / (f + i) * h[0] + i / (f + i) * x[2];
}

CELL(hgrn)
{
    UNUSED(p);
    y[0] = next[0] = expq(x[0]) * h[0] + x[1];
}

CELL(rglru)
{
    quad a = expq(-8 * logistic(x[0]) * softplus(p[0])), square = 1 - a * a;
    quad floored = square > (quad)2.5e-7 ? square : (quad)2.5e-7;
    y[0] = next[0] = a * h[0] + sqrtq(floored) * logistic(x[1]) * x[2];
}

CELL(lru)
{
    quad size = expq(-expq(p[0])), re = size * cosq(expq(p[1])), im = size * sinq(expq(p[1]));
    y[0] = next[0] = re * h[0] - im * h[1] + expq(p[2]) * x[0];
    y[1] = next[1] = re * h[1] + im * h[0] + expq(p[2]) * x[1];
}

CELL(s6)
{
    quad delta = softplus(x[1]);
    y[0] = p[16] * x[0];
    for (int i = 0; i < 16; i++) {
        next[i] = expq(delta * -expq(p[i])) * h[i] + delta * x[2 + i] * x[0];
        y[0] += x[18 + i] * next[i];
    }
}

/* Row i of a 4x4 matrix times v. */
static quad row_times(const quad *matrix, int i, const quad *v)
{
    quad sum = 0;
    for (int j = 0; j < 4; j++)
        sum += matrix[4 * i + j] * v[j];
    return sum;
}

CELL(elman_heads)
{
    for (int i = 0; i < 4; i++)
        y[i] = next[i] = tanhq(row_times(p, i, h) + x[i]);
}

CELL(gru_heads)
{
    for (int i = 0; i < 4; i++) {
        quad z = logistic(x[i] + row_times(p, i, h));
        quad r = logistic(x[4 + i] + row_times(p + 16, i, h));
        quad g = row_times(p + 32, i, h) + p[48 + i];
        y[i] = next[i] = z * h[i] + (1 - z) * tanhq(x[8 + i] + r * g);
    }
}

#undef CELL
#undef UNUSED

#endif
