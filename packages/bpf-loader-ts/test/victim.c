/* A program for uprobes: calls `work` as often as its argument says; without one it tells where `work` lies in its file. */
#include <stdio.h>
#include <stdlib.h>

/* The linker's: where the file's beginning is mapped. */
extern const char __executable_start[];

__attribute__((noinline)) int work(int i)
{
	__asm__ volatile("");
	return i + 1;
}

int main(int c, char **v)
{
	int n = 0;

	if (c < 2)
		printf("%ld\n", (long)((const char *)work - __executable_start));
	else
		while (n < atoi(v[1]))
			n = work(n);
	return 0;
}
