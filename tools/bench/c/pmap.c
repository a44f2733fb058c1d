// JOS's page allocator and page tables, in C, written for the comparison in the benchmark: the algorithms of its lab 2,
// with four levels instead of two, and with memory at `kernbase` in this process. There is no TLB to invalidate, and a
// failed assertion ends the process.

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PGSIZE 4096
#define PGSHIFT 12
#define NENTRIES 512
#define LEVELS 4

#define PTE_P 0x1
#define PTE_W 0x2
#define PTE_U 0x4
#define PTE_ADDR(pte) ((physaddr_t) (pte) & 0xffffffffff000)
#define INDEX(level, va) (((va) >> (PGSHIFT + 9 * (level))) & (NENTRIES - 1))

#define ALLOC_ZERO 1
#define E_NO_MEM 4

typedef uint64_t physaddr_t;
typedef uint64_t pte_t;

struct PageInfo {
	struct PageInfo *pp_link;
	uint16_t pp_ref;
};

static char *kernbase;
static struct PageInfo *pages;
static size_t npages;
static struct PageInfo *page_free_list;

static void *
KADDR(physaddr_t pa)
{
	return kernbase + pa;
}

physaddr_t
page2pa(struct PageInfo *pp)
{
	return (physaddr_t) (pp - pages) << PGSHIFT;
}

static struct PageInfo *
pa2page(physaddr_t pa)
{
	if (pa >> PGSHIFT >= npages)
		abort();
	return &pages[pa >> PGSHIFT];
}

// Sets the addresses of memory and of `pages`. No page is free yet.
void
jos_init(void *memory, void *array, size_t n)
{
	kernbase = memory;
	pages = array;
	npages = n;
	page_free_list = NULL;
	for (size_t i = 0; i < n; i++) {
		pages[i].pp_ref = 1;
		pages[i].pp_link = NULL;
	}
}

// Puts the pages [first, end) on the free list, the lowest first; all others are in use.
void
page_init(size_t first, size_t end)
{
	page_free_list = NULL;
	for (size_t i = end; i-- > first;) {
		pages[i].pp_ref = 0;
		pages[i].pp_link = page_free_list;
		page_free_list = &pages[i];
	}
}

struct PageInfo *
page_alloc(int alloc_flags)
{
	struct PageInfo *pp = page_free_list;
	if (pp == NULL)
		return NULL;
	page_free_list = pp->pp_link;
	pp->pp_link = NULL;
	if (alloc_flags & ALLOC_ZERO)
		memset(KADDR(page2pa(pp)), 0, PGSIZE);
	return pp;
}

void
page_free(struct PageInfo *pp)
{
	if (pp->pp_ref != 0 || pp->pp_link != NULL)
		abort();
	pp->pp_link = page_free_list;
	page_free_list = pp;
}

void
page_incref(struct PageInfo *pp)
{
	pp->pp_ref++;
}

void
page_decref(struct PageInfo *pp)
{
	if (--pp->pp_ref == 0)
		page_free(pp);
}

pte_t *
pgdir_walk(pte_t *pgdir, uint64_t va, int create)
{
	pte_t *table = pgdir;
	for (int level = LEVELS - 1; level > 0; level--) {
		pte_t *entry = &table[INDEX(level, va)];
		if (!(*entry & PTE_P)) {
			struct PageInfo *pp;
			if (!create || (pp = page_alloc(ALLOC_ZERO)) == NULL)
				return NULL;
			pp->pp_ref++;
			*entry = page2pa(pp) | PTE_P | PTE_W | PTE_U;
		}
		table = KADDR(PTE_ADDR(*entry));
	}
	return &table[INDEX(0, va)];
}

void
boot_map_region(pte_t *pgdir, uint64_t va, size_t size, physaddr_t pa, int perm)
{
	for (size_t offset = 0; offset < size; offset += PGSIZE) {
		pte_t *pte = pgdir_walk(pgdir, va + offset, 1);
		if (pte == NULL)
			abort();
		*pte = (pa + offset) | perm | PTE_P;
	}
}

struct PageInfo *
page_lookup(pte_t *pgdir, uint64_t va, pte_t **pte_store)
{
	pte_t *pte = pgdir_walk(pgdir, va, 0);
	if (pte == NULL || !(*pte & PTE_P))
		return NULL;
	if (pte_store != NULL)
		*pte_store = pte;
	return pa2page(PTE_ADDR(*pte));
}

void
page_remove(pte_t *pgdir, uint64_t va)
{
	pte_t *pte;
	struct PageInfo *pp = page_lookup(pgdir, va, &pte);
	if (pp == NULL)
		return;
	*pte = 0;
	page_decref(pp);
}

int
page_insert(pte_t *pgdir, struct PageInfo *pp, uint64_t va, int perm)
{
	pte_t *pte = pgdir_walk(pgdir, va, 1);
	if (pte == NULL)
		return -E_NO_MEM;
	pp->pp_ref++;
	if (*pte & PTE_P)
		page_remove(pgdir, va);
	*pte = page2pa(pp) | perm | PTE_P;
	return 0;
}

// The physical address of `va`; 0 if nothing is mapped (JOS's check_va2pa, with the offset).
physaddr_t
va2pa(pte_t *pgdir, uint64_t va)
{
	pte_t *pte = pgdir_walk(pgdir, va, 0);
	if (pte == NULL || !(*pte & PTE_P))
		return 0;
	return PTE_ADDR(*pte) | (va & (PGSIZE - 1));
}

// Frees a table of `level` and those below it, as JOS's env_free frees page tables.
static void
free_tables(int level, physaddr_t table)
{
	pte_t *entries = KADDR(table);
	if (level > 0)
		for (int i = 0; i < NENTRIES; i++)
			if (entries[i] & PTE_P)
				free_tables(level - 1, PTE_ADDR(entries[i]));
	page_decref(pa2page(table));
}

// Unmaps and frees the pages of [va, va + size), then all tables but the directory, as env_free does.
void
tear_down(pte_t *pgdir, uint64_t va, size_t size)
{
	for (size_t offset = 0; offset < size; offset += PGSIZE)
		page_remove(pgdir, va + offset);
	for (int i = 0; i < NENTRIES; i++)
		if (pgdir[i] & PTE_P) {
			free_tables(LEVELS - 2, PTE_ADDR(pgdir[i]));
			pgdir[i] = 0;
		}
}

// The benchmark's loops, in C, so that the compiler may inline the functions above. USED makes the compiler treat the value
// as used, and all memory as read.
#define USED(value) __asm__ volatile("" : "+r"(value) : : "memory")

void
loop_alloc_free(uint64_t n)
{
	while (n-- > 0) {
		struct PageInfo *pp = page_alloc(0);
		USED(pp);
		page_free(pp);
	}
}

void
loop_alloc_free_all(struct PageInfo **taken, const size_t *order, size_t n)
{
	for (size_t i = 0; i < n; i++)
		taken[i] = page_alloc(0);
	for (size_t i = 0; i < n; i++)
		page_free(taken[order[i]]);
}

void
loop_map_unmap(pte_t *pgdir, const uint64_t (*mapped)[2], size_t n, int perm)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t va = mapped[i][0];
		if (page_insert(pgdir, pa2page(mapped[i][1]), va, perm) < 0)
			abort();
		USED(pgdir);
		page_remove(pgdir, va);
	}
}

// The number of each page's frame, counted from `frames`, is the number of the next page, counted from `base`.
uint64_t
loop_chain(pte_t *pgdir, uint64_t va, uint64_t n, uint64_t base, physaddr_t frames)
{
	while (n-- > 0)
		va = base + (va2pa(pgdir, va) - frames);
	return va;
}

uint64_t
loop_sum(pte_t *pgdir, const uint64_t *vas, size_t n)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += va2pa(pgdir, vas[i]);
	return sum;
}
