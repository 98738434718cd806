/* SPDX-License-Identifier: Apache-2.0 */
#include "assets/assets.h"

#include "assets/assets_table.h"

const struct asset *asset_find(str path)
{
    size_t low = 0, high = asset_table_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_cmp(path, asset_table[middle].path);
        if (order == 0)
            return &asset_table[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

size_t asset_count(void)
{
    return asset_table_count;
}

const struct asset *asset_at(size_t index)
{
    ASSERT(index < asset_table_count);
    return &asset_table[index];
}
